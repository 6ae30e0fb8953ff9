#!/usr/bin/env bash
# clap_complete 4.6.11 offers subcommands, options and values that clap 4.6.9 hides from its help.
#
# One would guess that what is hidden (`hide = true`) is hidden everywhere: from the help, and from the completions
# that clap_complete makes from the same command.
# What happens: hidden values are left out, and hidden options and subcommands are offered, in bash, zsh and fish alike.
# Why it matters: what a program says to itself, or what is only for measuring, is offered to everybody who presses Tab.
set -euo pipefail
source "$(dirname "$0")/lib/prologue.sh"
cargo init --quiet --name hide --vcs none
cargo add --quiet clap@=4.6.9 clap_complete@=4.6.11
cat > src/main.rs <<'RUST'
use clap::builder::PossibleValue;
use clap::{Arg, Command};
use clap_complete::Shell;

fn main() {
    let values = [PossibleValue::new("plain"), PossibleValue::new("secretvalue").hide(true)];
    let mut command = Command::new("hide")
        .arg(Arg::new("option").long("secretoption").hide(true))
        .arg(Arg::new("kind").long("kind").value_parser(values))
        .subcommand(Command::new("secretcommand").hide(true))
        .subcommand(Command::new("open"));
    let help = command.render_long_help().to_string();
    let kinds = ["secretoption", "secretvalue", "secretcommand"];
    let show = |name: &str, text: &str| {
        let seen = kinds.map(|kind| if text.contains(kind) { "yes" } else { "no" });
        println!("{name} {}", seen.join(" "));
    };
    show("help", &help);
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut command.clone(), "hide", &mut script);
        show(&shell.to_string(), &String::from_utf8(script).unwrap());
    }
}
RUST
cargo build --quiet
seen=$(target/debug/hide)
echo 'clap 4.6.9, clap_complete 4.6.11; whether there is a hidden option, value, subcommand:'
check 'help' "$(grep ^help <<< "$seen")" 'help no no no'
check 'bash' "$(grep ^bash <<< "$seen")" 'bash yes no yes'
check 'zsh' "$(grep ^zsh <<< "$seen")" 'zsh yes no yes'
check 'fish' "$(grep ^fish <<< "$seen")" 'fish yes no yes'
exit "$same"
