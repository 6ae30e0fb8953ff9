//! Parses the command line, runs the command, prints the error.
fn main() {}
