//! placeholder until the real one is merged
/// x
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SafeText(String);
impl SafeText {
    /// x
    pub fn new(s: &str) -> Self {
        Self(s.into())
    }
}
