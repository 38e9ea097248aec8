//! `kalamdb check DIR`.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::print;

/// Verifies a data directory and prints what it found; 1 on damage.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, String> {
    let report = kalamdb_storage::check(dir).map_err(|error| error.to_string())?;
    if report.is_clean() {
        print(&format!(
            "{}: no damage in {}, {}, {}, {} and {} of {}\n",
            dir.display(),
            count(report.hot_rows, "hot row", "hot rows"),
            count(report.index_entries, "index entry", "index entries"),
            count(report.log_records, "commit record", "commit records"),
            count(report.manifests, "manifest", "manifests"),
            count(report.cold_rows, "cold row", "cold rows"),
            count(report.segments, "segment", "segments"),
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<String> = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    print(&lines.concat())?;
    Ok(ExitCode::FAILURE)
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}
