//! Memory of this process and of the machine, as Linux tells it; elsewhere nothing is known.

/// A field of a file of `/proc` that is given in kB \[MB\].
fn field_mb(file: &str, name: &str) -> Option<f64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|l| l.strip_prefix(name)?.strip_prefix(':'))?;
    Some(line.split_whitespace().next()?.parse::<f64>().ok()? / 1024.0)
}

/// Peak memory of this process since it began or since [`reset_peak`] \[MB\].
#[must_use]
pub fn peak_mb() -> Option<f64> {
    field_mb("/proc/self/status", "VmHWM")
}

/// Starts the peak again at what the process has now; where the system does not allow it, the peak stays that of the process.
pub fn reset_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// Memory that this process may still take \[MB\]: what the machine has free, or less where a control group sets a limit.
#[must_use]
pub fn available_mb() -> Option<f64> {
    let machine = field_mb("/proc/meminfo", "MemAvailable");
    [machine, control_group_mb()].into_iter().flatten().reduce(f64::min)
}

/// What the control group (version 2) of this process leaves \[MB\]; the limit of any group above it counts.
fn control_group_mb() -> Option<f64> {
    let own = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let mut group = std::path::PathBuf::from("/sys/fs/cgroup").join(own.lines().find_map(|l| l.strip_prefix("0::/"))?);
    let number = |path: std::path::PathBuf| std::fs::read_to_string(path).ok()?.trim().parse::<f64>().ok();
    let mut least: Option<f64> = None;
    while group.starts_with("/sys/fs/cgroup") {
        if let (Some(most), Some(taken)) = (number(group.join("memory.max")), number(group.join("memory.current"))) {
            let left = ((most - taken) / 1_048_576.0).max(0.0);
            least = Some(least.map_or(left, |l| l.min(left)));
        }
        group.pop();
    }
    least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_peak_sees_memory_that_is_touched() {
        // So much that what other tests of this process had before is little beside it.
        let before = peak_mb().unwrap();
        let block = vec![1_u8; 512 << 20];
        let peak = peak_mb().unwrap();
        assert!(peak > 500.0 && peak > before + 60.0, "{peak} {before} {}", block[block.len() / 2]);
        assert!(available_mb().unwrap() > 0.0);
    }
}
