//! `kalamdb check DIR`.

use std::path::Path;
use std::process::ExitCode;

use crate::cli::print;

/// Verifies a data directory and prints what it found; 1 on damage.
pub(crate) fn run(dir: &Path) -> Result<ExitCode, String> {
    let report = kalamdb_storage::check(dir).map_err(|error| error.to_string())?;
    if report.is_clean() {
        print(&format!(
            "{}: no damage in {} hot rows, {} index entries, {} commit records, {} manifests and \
             {} cold rows of {} segments\n",
            dir.display(),
            report.hot_rows,
            report.index_entries,
            report.log_records,
            report.manifests,
            report.cold_rows,
            report.segments,
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: Vec<String> = report.problems.iter().map(|problem| format!("{problem}\n")).collect();
    print(&lines.concat())?;
    Ok(ExitCode::FAILURE)
}
