//! Runs what the command line asks for, prints the error.

use std::io::Write as _;
use std::process::ExitCode;

use e2echat::cmd::run;

fn main() -> ExitCode {
    match run(std::env::args_os()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(usage) = error.downcast_ref::<clap::Error>() {
                let _ = usage.print();
                return usage
                    .exit_code()
                    .try_into()
                    .map_or(ExitCode::FAILURE, |code: u8| code.into());
            }
            // Where standard error is closed there is nowhere left to say so.
            let _ = writeln!(std::io::stderr(), "e2echat: error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
