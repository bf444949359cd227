use super::*;
use base64::Engine;
use sim_core::fits::{Data, Hdu, Header};
use sim_core::table::{Column, ColumnData, Table};
use std::path::PathBuf;

/// All cells of a table, as they are shown, by column.
fn shown(path: &Path) -> Vec<(String, Vec<String>)> {
    let mut source = open(path, None).unwrap();
    let mut out: Vec<(String, Vec<String>)> = source.fields().iter().map(|f| (f.name.clone(), Vec::new())).collect();
    while let Some(chunk) = source.next_chunk().unwrap() {
        for (k, cells) in chunk.columns.iter().enumerate() {
            assert_eq!(cells.data.len(), chunk.rows);
            out[k].1.extend((0..chunk.rows).map(|row| if cells.is_missing(row) { "-".into() } else { cells.shown(row) }));
        }
    }
    out
}

fn column(path: &Path, name: &str) -> Vec<String> {
    shown(path).into_iter().find(|c| c.0 == name).unwrap().1
}

fn write(folder: &tempfile::TempDir, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn message(path: &Path) -> String {
    let mut source = match open(path, None) {
        Ok(source) => source,
        Err(e) => return e.to_string(),
    };
    loop {
        match source.next_chunk() {
            Ok(Some(_)) => {}
            Ok(None) => return String::new(),
            Err(e) => return e.to_string(),
        }
    }
}

#[test]
fn types_of_csv_are_guessed_and_a_later_cell_that_does_not_fit_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(&folder, "a.csv", "# by hand\nid,x,name,flag\n4295806720123456789,1,a b,true\n2,,,false\n3,2.5,c,true\n");
    let source = open(&path, None).unwrap();
    let kinds: Vec<Kind> = source.fields().iter().map(|f| f.kind).collect();
    assert_eq!(kinds, [Kind::Int64, Kind::Float64, Kind::Text, Kind::Bool]);
    assert_eq!(column(&path, "id"), ["4295806720123456789", "2", "3"]);
    assert_eq!(
        (column(&path, "x"), column(&path, "name")),
        (vec!["1".into(), "-".into(), "2.5".into()], vec!["`a b`".into(), "-".into(), "`c`".to_string()])
    );
    // A word in row 10,002, after the rows from which types are guessed.
    let mut text = String::from("a,b\n");
    (0..10_001).for_each(|k| text.push_str(&format!("{k},{k}.5\n")));
    let path = write(&folder, "late.csv", text + "oops,1\n");
    let mut source = open(&path, None).unwrap();
    let chunk = source.next_chunk().unwrap().unwrap();
    assert_eq!((chunk.rows, chunk.columns[0].odd.clone(), chunk.columns[1].odd.len()), (10_002, vec![(10_001, "oops".into())], 0));
    assert!(message(&write(&folder, "twice.csv", "a,a\n1,2\n")).contains("two columns are called `a`"));
    assert!(message(&write(&folder, "x.unknown", "a")).contains("--format"));
}

#[test]
fn columns_separated_by_blanks_have_their_names_in_the_last_comment_or_the_first_line() {
    let folder = tempfile::tempdir().unwrap();
    // As TRILEGAL writes: comments, then the names, with or without a sign before them, and a comment at the end.
    for (k, names) in ["Gc logAge [M/H]", "#Gc logAge [M/H]"].iter().enumerate() {
        let path = write(
            &folder,
            &format!("{k}.dat"),
            format!("#area = 4.0 sq deg\n#Av at infinity = 0\n{names}\n 1  6.65 -0.39\n2 10.0 nan\n#TRILEGAL normally terminated\n"),
        );
        assert_eq!(column(&path, "Gc"), ["1", "2"], "{names}");
        assert_eq!(column(&path, "[M/H]"), ["-0.39", "-"]);
    }
    assert!(message(&write(&folder, "none.dat", "1 2 3\n")).contains("no line of column names"));
    // A row of another length has no cell that fits, whatever its columns hold; the rows around it are as they are.
    for (name, text) in [("short.dat", "a b w\n1 2 x\n1 2\n3 4 y\n"), ("short.csv", "a,b,w\n1,2,x\n1,2\n3,4,y\n")] {
        let mut source = open(&write(&folder, name, text), None).unwrap();
        let chunk = source.next_chunk().unwrap().unwrap();
        for (k, cells) in chunk.columns.iter().enumerate() {
            assert_eq!((cells.odd(1), cells.is_missing(1)), (Some("a row of 2 cells, the header has 3"), true), "{name} {k}");
            assert!(cells.odd(0).is_none() && cells.odd(2).is_none() && !cells.is_missing(2), "{name} {k}");
        }
        assert_eq!((chunk.columns[0].number(2), chunk.columns[2].shown(2)), (3.0, "`y`".into()));
    }
}

#[test]
fn ecsv_has_units_and_types_and_gaia_writes_null_and_packs() {
    let folder = tempfile::tempdir().unwrap();
    let header = "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: source_id, datatype: int64}\n# - {name: ra, unit: deg, datatype: float64, description: 'Right: ascension'}\n# - name: flag\n#   datatype: bool\n# - {name: word, datatype: string}\n# - {name: g, unit: mag, datatype: float32}\n";
    let text = format!("{header}source_id,ra,flag,word,g\n4295806720123456789,44.9,True,\"a, \"\"b\"\"\",0.1\n5,null,False,,\"\"\n");
    let path = write(&folder, "g.csv", &text);
    let source = open(&path, None).unwrap();
    assert_eq!(source.format(), Format::Ecsv);
    let ra = &source.fields()[1];
    assert_eq!((ra.unit.as_str(), ra.kind, ra.description.as_str()), ("deg", Kind::Float64, "Right: ascension"));
    assert_eq!(column(&path, "source_id"), ["4295806720123456789", "5"]);
    assert_eq!(
        (column(&path, "word"), column(&path, "flag")),
        (vec!["`a, \"b\"`".to_string(), "-".into()], vec!["1".to_string(), "0".into()])
    );
    assert_eq!((column(&path, "ra"), column(&path, "g")), (vec!["44.9".to_string(), "-".into()], vec!["0.1".to_string(), "-".into()]));
    // The same, packed, says the same.
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut packed, text.as_bytes()).unwrap();
    let again = write(&folder, "g2.csv.gz", packed.finish().unwrap());
    assert_eq!(shown(&again), shown(&path));
    // Separated by blanks, as astropy does unless told otherwise.
    let blanks = text.replace("# delimiter: ','\n", "").replace("source_id,ra,flag,word,g", "source_id ra flag word g");
    let blanks =
        blanks.replace("789,44.9,True,", "789 44.9 True ").replace(",0.1", " 0.1").replace("5,null,False,,\"\"", "5 \"\" False \"\" \"\"");
    assert_eq!(shown(&write(&folder, "b.ecsv", blanks)), shown(&path));
    let wrong = text.replace("datatype: bool", "datatype: colour");
    assert!(message(&write(&folder, "w.ecsv", wrong)).contains("column `flag`: datatype `colour`"));
    let other = text.replace("\nsource_id,ra", "\nsource,ra");
    assert!(message(&write(&folder, "o.ecsv", other)).contains("the header line names source, ra"));
    assert!(message(&write(&folder, "cut.ecsv", header)).contains("no header line"));
}

const FIELDS: &str = r#"<?xml version="1.0"?><VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3"><RESOURCE><TABLE nrows="2">
<FIELD name="id" datatype="long"><DESCRIPTION>a &lt; b</DESCRIPTION></FIELD><FIELD name="ra" datatype="double" unit="deg"/>
<FIELD name="n" datatype="short"><VALUES null="-99"/></FIELD><FIELD name="word" datatype="char" arraysize="*"/>
<FIELD name="pair" datatype="float" arraysize="2"/><FIELD name="ok" datatype="boolean"/><FIELD name="bit" datatype="bit"/>"#;

#[test]
fn votable_rows_are_the_same_as_text_and_in_binary() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "<DATA><TABLEDATA>\n<TR><TD>9007199254740993</TD><TD>1.5</TD><TD>-99</TD><TD>a &amp; <![CDATA[b<c]]></TD><TD>1 2</TD><TD>T</TD><TD>1</TD></TR>\n<TR><TD>-1</TD><TD>NaN</TD><TD>7</TD><TD/><TD>3 4</TD><TD>?</TD><TD>0</TD></TR></TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>";
    let path = write(&folder, "t.xml", format!("{FIELDS}{rows}"));
    let source = open(&path, None).unwrap();
    assert_eq!((source.rows(), source.left_out().len()), (Some(2), 1));
    assert_eq!((source.fields()[0].description.as_str(), source.fields()[1].unit.as_str()), ("a < b", "deg"));
    assert_eq!(column(&path, "id"), ["9007199254740993", "-1"]);
    assert_eq!((column(&path, "n"), column(&path, "ok")), (vec!["-".to_string(), "7".into()], vec!["1".to_string(), "-".into()]));
    assert_eq!(
        (column(&path, "word"), column(&path, "bit")),
        (vec!["`a & b<c`".to_string(), "-".into()], vec!["1".to_string(), "0".into()])
    );
    for binary2 in [false, true] {
        let mut bytes = Vec::new();
        for (id, ra, n, word, ok, nulls) in
            [(9_007_199_254_740_993_i64, 1.5, -99_i16, "a & b<c", b'T', 0x20_u8), (-1, f64::NAN, 7, "", b'?', 0x14)]
        {
            if binary2 {
                bytes.push(nulls);
            }
            bytes.extend(id.to_be_bytes());
            bytes.extend(f64::to_be_bytes(ra));
            bytes.extend(n.to_be_bytes());
            bytes.extend((word.len() as u32).to_be_bytes());
            bytes.extend(word.bytes());
            bytes.extend([1.0_f32, 2.0].iter().flat_map(|x| x.to_be_bytes()));
            bytes.push(ok);
            bytes.push(if ok == b'T' { 0x80 } else { 0 });
        }
        let text = base64::engine::general_purpose::STANDARD.encode(&bytes);
        // Broken into lines, as the standard allows.
        let lines: String = text.as_bytes().chunks(7).map(|c| format!("{}\n ", String::from_utf8_lossy(c))).collect();
        let tag = if binary2 { "BINARY2" } else { "BINARY" };
        let body = format!("<DATA><{tag}><STREAM encoding=\"base64\">{lines}</STREAM></{tag}></DATA></TABLE></RESOURCE></VOTABLE>");
        let same = write(&folder, &format!("{tag}.vot"), format!("{FIELDS}{body}"));
        assert_eq!(shown(&same), shown(&path), "{tag}");
        let cut = body.find("</STREAM>").unwrap() - 12;
        let torn = write(&folder, &format!("{tag}_torn.vot"), format!("{FIELDS}{}</STREAM>", &body[..cut]));
        assert!(message(&torn).contains("row 2"), "{}", message(&torn));
    }
    let torn = write(&folder, "torn.xml", format!("{FIELDS}{}", &rows[..rows.find("<TD>7").unwrap()]));
    assert!(message(&torn).contains("row 2") && message(&torn).contains("truncated"), "{}", message(&torn));
    let short = write(&folder, "short.xml", format!("{FIELDS}{}", rows.replace("<TD>3 4</TD><TD>?</TD><TD>0</TD>", "")));
    assert!(message(&short).contains("row 2: 4 cells"), "{}", message(&short));
    assert!(message(&write(&folder, "no.xml", "<?xml version=\"1.0\"?><a></a>")).contains("no TABLE"));
}

fn all_kinds(rows: usize) -> (Vec<Field>, Vec<Cells>) {
    let fields = vec![
        Field { description: "where".into(), ..Field::new("ra", "deg", Kind::Float64) },
        Field::new("g", "mag", Kind::Float32),
        Field::new("id", "", Kind::Int64),
        Field::new("n", "", Kind::Int32),
        Field::new("ok", "", Kind::Bool),
        Field::new("word", "", Kind::Text),
    ];
    let every = |k: usize| (0..rows).map(|row| row % k == 1).collect::<Vec<bool>>();
    let mut cells = vec![
        Cells::whole(ColumnData::F64((0..rows).map(|k| k as f64 * 0.1).collect())),
        Cells::whole(ColumnData::F32((0..rows).map(|k| if k % 7 == 3 { f32::NAN } else { k as f32 * 0.3 }).collect())),
        Cells::whole(ColumnData::I64((0..rows).map(|k| i64::MAX - k as i64).collect())),
        Cells::whole(ColumnData::I32((0..rows).map(|k| -(k as i32)).collect())),
        Cells::whole(ColumnData::I32((0..rows).map(|k| i32::from(k % 2 == 0)).collect())),
        Cells::whole(ColumnData::Text((0..rows).map(|k| format!("w\u{e9} {k}")).collect())),
    ];
    cells[3].missing = every(3);
    cells[4].missing = every(5);
    cells[5].missing = every(4);
    (fields, cells)
}

#[test]
fn parquet_gives_back_what_was_written_with_units_across_row_groups() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let rows = 70_000;
    let (fields, cells) = all_kinds(rows);
    let mut sink = ParquetSink::create(&path, &fields).unwrap();
    sink.write(cells.clone()).unwrap();
    sink.finish().unwrap();
    let mut source = ParquetSource::open(&path).unwrap();
    assert_eq!((source.fields(), source.rows(), source.groups()), (&fields[..], Some(rows as u64), (2, 2)));
    // Columns in an order that is not the file's.
    source.select(&[5, 0, 3]).unwrap();
    let mut at = 0;
    while let Some(chunk) = source.next_chunk().unwrap() {
        assert_eq!((chunk.first_row, chunk.columns.len()), (at as u64, 3));
        for row in 0..chunk.rows {
            for (mine, theirs) in chunk.columns.iter().zip([&cells[5], &cells[0], &cells[3]]) {
                assert_eq!(mine.is_missing(row), theirs.is_missing(at + row));
                assert!(mine.is_missing(row) || mine.shown(row) == theirs.shown(at + row));
            }
        }
        at += chunk.rows;
    }
    assert_eq!(at, rows);
    // The same rows give the same bytes.
    let again = folder.path().join("again.parquet");
    let mut sink = ParquetSink::create(&again, &fields).unwrap();
    sink.write(cells).unwrap();
    sink.finish().unwrap();
    assert!(std::fs::read(&path).unwrap() == std::fs::read(&again).unwrap());
    // Numbers of the first group are the largest: a range of the last rows leaves it out.
    let mut source = ParquetSource::open(&path).unwrap();
    let last = (i64::MAX - 69_000) as u64;
    source.only_groups_within("id", std::slice::from_ref(&(last..last + 10)));
    assert_eq!(source.groups(), (1, 2));
    assert_eq!(source.next_chunk().unwrap().unwrap().first_row, 65_536);
}

#[test]
fn columns_that_astropy_masks_by_another_column_are_missing_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.parquet");
    let fields = [Field::new("a", "", Kind::Int64), Field::new("a.mask", "", Kind::Bool), Field::new("b", "", Kind::Int64)];
    let schema = super::arrow::schema(&fields);
    let schema = std::sync::Arc::new(
        schema.with_metadata(
            [("table_meta_yaml", "datatype:\n- {name: a, datatype: int64, unit: mas}\n- {name: b, datatype: int64}\n")]
                .into_iter()
                .collect::<arrow_schema::Metadata>(),
        ),
    );
    let whole = |v: Vec<i64>| super::arrow::array(Cells::whole(ColumnData::I64(v)), Kind::Int64).unwrap();
    let mask = super::arrow::array(Cells::whole(ColumnData::I32(vec![0, 1, 0])), Kind::Bool).unwrap();
    let batch = arrow_array::RecordBatch::try_new(schema.clone(), vec![whole(vec![1, 2, 3]), mask, whole(vec![4, 5, 6])]).unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    let source = open(&path, None).unwrap();
    assert_eq!(source.fields().iter().map(|f| (f.name.as_str(), f.unit.as_str())).collect::<Vec<_>>(), [("a", "mas"), ("b", "")]);
    assert_eq!(
        (column(&path, "a"), column(&path, "b")),
        (vec!["1".to_string(), "-".into(), "3".into()], vec!["4".to_string(), "5".into(), "6".into()])
    );
}

#[test]
fn units_of_parquet_may_stand_in_the_header_of_a_votable() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v.parquet");
    let header = "<?xml version='1.0'?><v:VOTABLE xmlns:v=\"http://www.ivoa.net/xml/VOTable/v1.3\"><v:RESOURCE><v:TABLE><v:FIELD name=\"ra\" \
                  datatype=\"double\" unit=\"deg\"/><v:PARQUET type=\"Parquet-local-XML\"/></v:TABLE></v:RESOURCE></v:VOTABLE>";
    let schema = super::arrow::schema(&[Field::new("ra", "", Kind::Float64)]);
    let metadata = [("IVOA.VOTable-Parquet.content", header)].into_iter().collect::<arrow_schema::Metadata>();
    let schema = std::sync::Arc::new(schema.with_metadata(metadata));
    let values = super::arrow::array(Cells::whole(ColumnData::F64(vec![1.5])), Kind::Float64).unwrap();
    let batch = arrow_array::RecordBatch::try_new(schema.clone(), vec![values]).unwrap();
    let mut writer = ::parquet::arrow::ArrowWriter::try_new(std::fs::File::create(&path).unwrap(), schema, None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    assert_eq!(open(&path, None).unwrap().fields(), [Field::new("ra", "deg", Kind::Float64)]);
}

#[test]
fn a_truncated_or_damaged_parquet_file_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.parquet");
    let (fields, cells) = all_kinds(1000);
    let mut sink = ParquetSink::create(&path, &fields).unwrap();
    sink.write(cells).unwrap();
    sink.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for keep in [4, 11, bytes.len() / 2, bytes.len() - 1] {
        let torn = write(&folder, "torn.parquet", &bytes[..keep]);
        assert!(message(&torn).contains("torn.parquet") && message(&torn).contains("truncated"), "{keep}: {}", message(&torn));
    }
    let mut changed = bytes.clone();
    changed[100..400].fill(0xff);
    let changed = write(&folder, "changed.parquet", changed);
    assert!(message(&changed).contains("changed.parquet"), "{}", message(&changed));
}

#[test]
fn a_fits_table_reads_in_chunks_with_its_missing_whole_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.fits");
    let rows = CHUNK_ROWS + 5;
    let columns = vec![
        Column::new("id", "", "", ColumnData::I64((0..rows).map(|k| k as i64 + 9_007_199_254_740_993).collect())),
        Column::new("ra", "deg", "", ColumnData::F64((0..rows).map(|k| k as f64 / 7.0).collect())),
        Column::new("word", "", "", ColumnData::Text((0..rows).map(|k| format!("w{k}")).collect())),
    ];
    let table = Table { name: "T".into(), columns };
    sim_core::fits::write(&path, &[Hdu::primary(Header::default()), Hdu::new("T", Header::default(), Data::Table(table))]).unwrap();
    let mut source = open(&path, None).unwrap();
    assert_eq!((source.format(), source.rows()), (Format::Fits, Some(rows as u64)));
    source.select(&[2, 0]).unwrap();
    source.next_chunk().unwrap().unwrap();
    let last = source.next_chunk().unwrap().unwrap();
    assert_eq!((last.first_row, last.rows), (CHUNK_ROWS as u64, 5));
    assert_eq!(last.columns[1].data, ColumnData::I64((CHUNK_ROWS..rows).map(|k| k as i64 + 9_007_199_254_740_993).collect()));
    assert_eq!(last.columns[0].data, ColumnData::Text((CHUNK_ROWS..rows).map(|k| format!("w{k}")).collect()));
    assert!(source.next_chunk().unwrap().is_none());
}

#[test]
fn a_partition_names_a_missing_cell_or_passes_over_it_and_refuses_cells_that_overlap() {
    let folder = tempfile::tempdir().unwrap();
    let at = |cell: CellId| folder.path().join("dataset").join(cell.file(".parquet"));
    let (fields, cells) = all_kinds(10);
    let (a, b) = (CellId { order: 1, pixel: 5 }, CellId { order: 2, pixel: 3 });
    std::fs::create_dir_all(at(a).parent().unwrap()).unwrap();
    let mut sink = ParquetSink::create(&at(a), &fields).unwrap();
    sink.write(cells).unwrap();
    sink.finish().unwrap();
    write(&folder, "partition_info.csv", "Norder,Npix\n1,5\n2,3\n");
    let mut hats = Hats::open(folder.path()).unwrap();
    assert_eq!((hats.cells.clone(), hats.missing()), (vec![b, a], vec![b]));
    let said = hats.all().err().unwrap().to_string();
    assert!(said.contains("Norder=2, Npix=3") && said.contains("Norder=2/Dir=0/Npix=3.parquet"), "{said}");
    hats.skip_missing = true;
    let mut all = hats.all().unwrap();
    assert_eq!((all.missing.clone(), all.next_chunk().unwrap().unwrap().rows), (vec![b.to_string()], 10));
    assert!(all.place(3).path.ends_with("Npix=5.parquet") && all.place(3).row == 4);
    // A cut one stops, or is passed over.
    let whole = std::fs::read(at(a)).unwrap();
    std::fs::create_dir_all(at(b).parent().unwrap()).unwrap();
    std::fs::write(at(b), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(hats.all().unwrap().missing, [format!("{b} (truncated or damaged)")]);
    hats.skip_missing = false;
    assert!(hats.all().err().unwrap().to_string().contains("Npix=3.parquet: not a whole Parquet file"));
    std::fs::remove_file(at(b)).unwrap();
    // A cell elsewhere is not needed.
    hats.skip_missing = false;
    assert!(hats.within(&[a.range()]).is_ok() && hats.within(&[b.range()]).is_err());
    write(&folder, "partition_info.csv", "Norder,Npix\n1,5\n2,20\n");
    assert!(Hats::open(folder.path()).err().unwrap().to_string().contains("overlap"));
    write(&folder, "partition_info.csv", "Norder,Npix\n1,48\n");
    assert!(Hats::open(folder.path()).err().unwrap().to_string().contains("row 1"));
    let empty = tempfile::tempdir().unwrap();
    assert!(Hats::open(empty.path()).err().unwrap().to_string().contains("not a partition"));
}
