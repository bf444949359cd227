// A run of skyloop under Nextflow (DSL 2), a task for each chunk.
//
//   skyloop plan SURVEY --out RUN --chunk-hours 1
//   nextflow run main.nf --run RUN --chunks N
//
// Nothing is staged: RUN is the same folder everywhere. Nextflow's own cache is not needed; a task that is begun again skips what is finished.

params.run = null
params.chunks = null
params.memory_gb = 8

process chunk {
    cpus 4
    memory { params.memory_gb.GB * Math.pow(1.5, task.attempt - 1) }
    time '2h'
    // 75: interrupted. 137, 143: killed, by the system or the engine. Others the same again would not mend.
    errorStrategy { task.exitStatus in [75, 137, 140, 143] ? 'retry' : 'ignore' }
    maxRetries 5

    input:
    val index

    output:
    val index

    script:
    """
    skyloop --jobs ${task.cpus} run '${params.run}' --chunk ${index}
    """
}

process collect {
    input:
    val chunks

    script:
    """
    skyloop collect '${params.run}'
    """
}

workflow {
    done = chunk(Channel.of(0..(params.chunks as int) - 1))
    collect(done.collect())
}
