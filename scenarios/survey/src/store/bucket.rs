//! A bucket, its address and its keys.
//!
//! # Source
//! Names in the environment: `S3_ENDPOINT_URL`, `S3_KEY`, `S3_SECRET` as the mission's own file system has them (documentation of `csst_fs`), else
//! `AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION` or `AWS_DEFAULT_REGION`.

use super::wire::Wire;
use crate::failure::SurveyError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Credentials, S3Action, UrlStyle};
use sha2::{Digest, Sha256};
use std::path::Path;
use std::time::Duration;

/// How long a signed request may be sent.
const SIGNED: Duration = Duration::from_secs(3600);
/// Region where nothing is said.
const REGION: &str = "us-east-1";

/// A bucket of a store that speaks S3, and the names in it that begin with a prefix.
#[derive(Debug, Clone)]
pub struct Bucket {
    url: String,
    prefix: String,
    bucket: rusty_s3::Bucket,
    keys: Option<Credentials>,
    wire: Wire,
}

fn variable(names: &[&str]) -> Option<String> {
    names.iter().find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// The endpoint that the environment names.
pub(super) fn endpoint() -> Option<String> {
    variable(&["S3_ENDPOINT_URL", "AWS_ENDPOINT_URL"])
}

/// A sum in hexadecimal as the header of a request has it.
fn base64_of_hex(hex: &str) -> Option<String> {
    let bytes = hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    bytes.collect::<Option<Vec<u8>>>().map(|bytes| BASE64.encode(bytes))
}

/// Bucket and prefix of `s3://BUCKET/PREFIX`; the prefix ends with `/` or is empty.
fn parts(url: &str) -> Option<(&str, String)> {
    let rest = url.strip_prefix("s3://")?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let prefix = prefix.trim_matches('/');
    let named = bucket.len() >= 3 && bucket.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b));
    named.then(|| (bucket, if prefix.is_empty() { String::new() } else { format!("{prefix}/") }))
}

impl Bucket {
    /// The bucket at `s3://BUCKET/PREFIX`, with keys from the environment, and the endpoint too unless it says nothing of it.
    ///
    /// # Errors
    /// When the address is not of that form, or the endpoint is no address.
    pub fn named(url: &str, endpoint: Option<&str>) -> Result<Self, SurveyError> {
        let range = |key, value: &str, range: &str| SurveyError::Range { key, value: value.into(), range: range.into() };
        let (name, prefix) = parts(url).ok_or_else(|| {
            range("store", url, "s3://BUCKET/PREFIX, a bucket of at least 3 lower-case letters, digits, hyphens and dots")
        })?;
        let region = variable(&["AWS_REGION", "AWS_DEFAULT_REGION"]).unwrap_or_else(|| REGION.into());
        let given = self::endpoint().or_else(|| endpoint.map(Into::into));
        // Stores of one's own have no name for each bucket.
        let style = if given.is_some() { UrlStyle::Path } else { UrlStyle::VirtualHost };
        let endpoint = given.unwrap_or_else(|| format!("https://s3.{region}.amazonaws.com"));
        let wrong = || range("S3_ENDPOINT_URL", &endpoint, "addresses of the form http://HOST:PORT or https://HOST");
        let address = endpoint.parse().map_err(|_| wrong())?;
        let bucket = rusty_s3::Bucket::new(address, style, name.to_string(), region).map_err(|_| wrong())?;
        let keys = variable(&["S3_KEY", "AWS_ACCESS_KEY_ID"]).zip(variable(&["S3_SECRET", "AWS_SECRET_ACCESS_KEY"]));
        let keys = keys.map(|(key, secret)| match variable(&["AWS_SESSION_TOKEN"]) {
            Some(token) => Credentials::new_with_token(key, secret, token),
            None => Credentials::new(key, secret),
        });
        Ok(Self { url: url.into(), prefix, bucket, keys, wire: Wire::new() })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }
    /// What an object is called in messages.
    fn called(&self, name: &str) -> String {
        format!("{}/{name}", self.url.trim_end_matches('/'))
    }

    /// Sends a file, with its SHA-256 in hexadecimal for the store to check. What is there makes room.
    ///
    /// # Errors
    /// When the file cannot be read or the store does not take it.
    pub fn put_file(&self, name: &str, path: &Path, sha256: &str) -> Result<(), SurveyError> {
        let key = self.key(name);
        let sum = base64_of_hex(sha256).ok_or_else(|| SurveyError::manifest(path, format!("{sha256:?} is no SHA-256")))?;
        let mut action = self.bucket.put_object(self.keys.as_ref(), &key);
        action.headers_mut().insert("x-amz-checksum-sha256", sum.clone());
        let url = action.sign(SIGNED);
        let open = || std::fs::File::open(path).map_err(SurveyError::io(path));
        let answer = self.wire.ask(&self.called(name), || {
            let file = open()?;
            Ok(self.wire.agent().put(url.as_str()).header("x-amz-checksum-sha256", &sum).send(file))
        })?;
        answer.expect(&[200], &self.called(name)).map(drop)
    }

    /// Creates an object; with `replace`, or replaces it. Returns whether it was written: `false` when one is there already.
    ///
    /// # Errors
    /// When the store does not take it.
    pub fn put(&self, name: &str, text: &[u8], replace: bool) -> Result<bool, SurveyError> {
        let key = self.key(name);
        let sum = BASE64.encode(Sha256::digest(text));
        let mut action = self.bucket.put_object(self.keys.as_ref(), &key);
        action.headers_mut().insert("x-amz-checksum-sha256", sum.clone());
        if !replace {
            action.headers_mut().insert("if-none-match", "*");
        }
        let url = action.sign(SIGNED);
        let answer = self.wire.ask(&self.called(name), || {
            let request = self.wire.agent().put(url.as_str()).header("x-amz-checksum-sha256", &sum);
            let request = if replace { request } else { request.header("if-none-match", "*") };
            Ok(request.send(text))
        })?;
        // 409: another is creating it at this moment.
        Ok(answer.expect(&[200, 409, 412], &self.called(name))?.status == 200)
    }

    /// The bytes of an object; `None` when it is not there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn get(&self, name: &str) -> Result<Option<Vec<u8>>, SurveyError> {
        let key = self.key(name);
        let url = self.bucket.get_object(self.keys.as_ref(), &key).sign(SIGNED);
        let answer = self.wire.ask(&self.called(name), || Ok(self.wire.agent().get(url.as_str()).call()))?;
        let answer = answer.expect(&[200, 404], &self.called(name))?;
        Ok((answer.status == 200).then_some(answer.body))
    }

    /// Size of an object \[byte\]; `None` when it is not there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn size(&self, name: &str) -> Result<Option<u64>, SurveyError> {
        let key = self.key(name);
        let url = self.bucket.head_object(self.keys.as_ref(), &key).sign(SIGNED);
        let answer = self.wire.ask(&self.called(name), || Ok(self.wire.agent().head(url.as_str()).call()))?;
        let answer = answer.expect(&[200, 404], &self.called(name))?;
        Ok((answer.status == 200).then_some(answer.length.unwrap_or(0)))
    }

    /// SHA-256 of an object as it is read, in hexadecimal; `None` when it is not there.
    ///
    /// # Errors
    /// When the store does not answer.
    pub fn sha256(&self, name: &str) -> Result<Option<String>, SurveyError> {
        let key = self.key(name);
        let url = self.bucket.get_object(self.keys.as_ref(), &key).sign(SIGNED);
        self.wire.digest(&self.called(name), url.as_str())
    }

    /// Looks whether the bucket answers, before anything is made.
    ///
    /// # Errors
    /// When it does not, or does not let us in.
    pub fn check(&self) -> Result<(), SurveyError> {
        let mut action: ListObjectsV2<'_> = self.bucket.list_objects_v2(self.keys.as_ref());
        action.with_prefix(self.prefix.as_str());
        action.with_max_keys(1);
        let url = action.sign(SIGNED);
        let answer = self.wire.ask(&self.url, || Ok(self.wire.agent().get(url.as_str()).call()))?;
        answer.expect(&[200], &self.url).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_those_of_the_record() {
        let text = b"pixels";
        let hex = sim_core::manifest::sha256(text);
        assert_eq!(base64_of_hex(&hex), Some(BASE64.encode(Sha256::digest(text))));
        assert_eq!(base64_of_hex("xy"), None);
    }

    #[test]
    fn addresses_are_of_buckets() {
        assert_eq!(parts("s3://skyloop/wide/1/"), Some(("skyloop", "wide/1/".into())));
        assert_eq!(parts("s3://skyloop"), Some(("skyloop", String::new())));
        for wrong in ["skyloop/wide", "s3://", "s3://ab/x", "s3://Sky/x", "http://a/b"] {
            assert_eq!(parts(wrong), None, "{wrong}");
            assert!(Bucket::named(wrong, None).unwrap_err().to_string().contains(wrong));
        }
    }
}
