//! Saving the identity of this run.

use crate::cipher::pem;
use crate::cmd::identity;
use crate::cmd::join::client::Client;

impl Client<'_> {
    /// Saves the identity that was made for this run where `join` finds it the next time, as `e2echat keygen` saves a
    /// new one: closed to others, and without a passphrase, which would have to be typed where messages are.
    pub(super) fn save_identity(&mut self) {
        if self.session.card().is_lasting() {
            return self.screen.refuse(
                None,
                "your identity is saved already: you have it from a file",
            );
        }
        let path = match identity::default_path() {
            Ok(path) => path,
            Err(error) => return self.fail_to_save(&error),
        };
        if path.symlink_metadata().is_ok() {
            let error = format!(
                "not saved: {} is there already, and is your identity the next time",
                path.display()
            );
            return self.screen.refuse(None, error);
        }
        let pem = pem::encode(self.session.identity_key(), None);
        match identity::save(&path, &pem, false) {
            Ok(()) => self.screen.notice(format!(
                "this identity is saved in {}: from the next time on you are known by it; whoever has that file can speak in your name",
                path.display()
            )),
            Err(error) => self.fail_to_save(&error),
        }
    }

    /// Says why the identity is not saved. What to do about it names options of `e2echat keygen`, and is left out.
    fn fail_to_save(&mut self, error: &anyhow::Error) {
        let error = error.to_string();
        let why = error.lines().next().unwrap_or_default();
        self.screen.fail(None, format!("not saved: {why}"));
    }
}
