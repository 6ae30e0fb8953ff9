//! Parses the command line, runs the command, prints the error.

use std::io::Write as _;
use std::process::ExitCode;

use e2echat::cmd::{parse, run};

fn main() -> ExitCode {
    let cli = parse(std::env::args_os()).unwrap_or_else(|error| error.exit());
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                let _ = usage.print();
                return ExitCode::from(2);
            }
            // Where standard error is closed there is nowhere left to say so.
            let _ = writeln!(std::io::stderr(), "e2echat: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
