//! Parses the command line, runs the command, prints the error.

use std::alloc::System;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use zeroizing_alloc::ZeroAlloc;

use e2echat::cmd::{Cli, run};

/// Freed memory is wiped: dropping an RSA key alone leaves copies of its primes behind.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    match run(Cli::parse()) {
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
