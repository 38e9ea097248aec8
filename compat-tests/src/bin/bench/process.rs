//! What the server's processes use, read from /proc.

use std::path::Path;

use kalamdb_compat_tests::server::Server;

use crate::Result;

/// The kernel counts CPU in hundredths of a second on every Linux that matters here.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU used so far by the server and all its processes, those that ended included, in
/// microseconds.
pub(crate) fn cpu_us(server: &Server) -> Result<f64> {
    let main = server.pid().ok_or("the server isn't running")?;
    let mut ticks = 0;
    for pid in family(main)? {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let fields = after_name(&stat);
        // utime and stime; for the main process also those of children that were waited for.
        let range = if pid == main { 11..15 } else { 11..13 };
        ticks += fields[range].iter().filter_map(|f| f.parse::<u64>().ok()).sum::<u64>();
    }
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run of minutes fit 52 bits")]
    let ticks = ticks as f64;
    Ok(ticks / TICKS_PER_SECOND * 1e6)
}

/// Memory of all the server's processes, shared pages counted once, in MiB.
pub(crate) fn memory_mib(server: &Server) -> Result<f64> {
    let main = server.pid().ok_or("the server isn't running")?;
    let mut kib = 0.0;
    for pid in family(main)? {
        let Ok(rollup) = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")) else {
            continue;
        };
        let pss = rollup.lines().find_map(|l| l.strip_prefix("Pss:"));
        let number = pss.and_then(|l| l.split_whitespace().next()).unwrap_or("0");
        kib += number.parse::<f64>()?;
    }
    Ok(kib / 1024.0)
}

/// Bytes below a directory, as the device holds them, in MiB.
pub(crate) fn disk_mib(directory: &Path) -> Result<f64> {
    let output = std::process::Command::new("du").arg("-sk").arg(directory).output()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let kib = text.split_whitespace().next().ok_or("du says nothing")?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

fn family(main: u32) -> Result<Vec<u32>> {
    let mut found = vec![main];
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if after_name(&stat).get(1).is_some_and(|parent| *parent == main.to_string()) {
            found.push(pid);
        }
    }
    Ok(found)
}

/// The fields of a stat line from the state on; the name before may hold anything.
fn after_name(stat: &str) -> Vec<&str> {
    stat.rsplit_once(')').map_or_else(Vec::new, |(_, rest)| rest.split_whitespace().collect())
}
