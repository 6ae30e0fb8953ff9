//! `e2echat keygen`: makes and saves an identity, or shows a saved one.

use std::io::{self, Write as _};
use std::path::PathBuf;

use crate::cipher::keys::{IdentityKey, KeySize, PublicKey};
use crate::cipher::pem;

use super::{failure, identity, passphrase, print};

/// What is said of the shortest keys.
const HOW_LONG_2048_IS_ENOUGH: &str = "\
NIST counts RSA of 2048 bits as enough until 2030, and no RSA after 2035; a recording can wait for that.
--bits 3072 makes longer keys: here for this identity, in `e2echat join` for what is said to you.
";

/// Make and save the identity that friends know you by
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Without a saved identity, `e2echat join` makes one that is forgotten when it ends.
The file is a PKCS#8 private key, which openssl reads too. Whoever has it can speak in your name.

Environment:
  E2ECHAT_PASSPHRASE  the passphrase, instead of being asked for it

Examples:
  e2echat keygen                        make one, where `join` finds it
  e2echat keygen --passphrase           the same, protected by a passphrase
  e2echat keygen --show                 tell the fingerprint of the one that is saved
  e2echat keygen --output work.pem      another one, for: e2echat join --identity work.pem ...")]
pub(super) struct Args {
    /// File to save it in [default: identity.pem in this user's settings folder]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,

    /// Length of the key
    #[arg(long, default_value = "2048", value_name = "2048|3072|4096")]
    bits: KeySize,

    /// Protect the file with a passphrase
    #[arg(long, short)]
    passphrase: bool,

    /// Replace the identity that is there; it is gone then
    #[arg(long)]
    force: bool,

    /// Make nothing; show the fingerprint of what is saved
    #[arg(long, conflicts_with_all = ["bits", "passphrase", "force"])]
    show: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let path = match &args.output {
        Some(path) => path.clone(),
        None => identity::default_path()?,
    };
    if args.show && args.output.is_none() && matches!(path.try_exists(), Ok(false)) {
        return Err(failure(
            format!("you have no identity yet: there is no {}", path.display()),
            "make one with `e2echat keygen`, or name the file of another with --output",
        ));
    }
    if args.show {
        let identity = identity::load(&path)?;
        return show(
            &format!("identity in {}", path.display()),
            identity.public(),
        );
    }
    if !args.force && path.symlink_metadata().is_ok() {
        return Err(identity::already_exists(&path));
    }
    let passphrase = args.passphrase.then(passphrase::choose).transpose()?;
    let identity = IdentityKey::generate(args.bits);
    let pem = pem::encode(&identity, passphrase.as_deref());
    identity::save(&path, &pem, args.force)?;
    show(&format!("saved {}", path.display()), identity.public())?;
    if matches!(args.bits, KeySize::Bits2048) {
        // Beside what a script reads; and an identity is made where nobody reads that.
        let _ = io::stderr().write_all(HOW_LONG_2048_IS_ENOUGH.as_bytes());
    }
    Ok(())
}

fn show(what: &str, key: &PublicKey) -> anyhow::Result<()> {
    let fingerprint = key.fingerprint();
    print(&format!(
        "{what} (RSA {} bits)\nfingerprint    {fingerprint}\nsafety number  {}\n",
        key.bits(),
        fingerprint.safety_number()
    ))
}
