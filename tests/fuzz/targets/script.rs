//! Bytes as a list of things to do: for state machines, which bytes alone seldom reach.

/// Reads choices off bytes. Where they are over, all choices are 0.
pub struct Script<'a>(&'a [u8]);

impl<'a> Script<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// A number below `n`.
    pub fn pick(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    /// Up to so many bytes.
    pub fn take(&mut self, n: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(n.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// Bytes of a length that is there too.
    pub fn bytes(&mut self) -> &'a [u8] {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// `honest`, or a number that is not: near it, or at one of the ends.
    pub fn number(&mut self, honest: u64) -> u64 {
        match self.byte() {
            0..=199 => honest,
            200 => u64::MAX,
            201 => u64::MAX - 1,
            202 => 1 << 63,
            203 => u32::MAX.into(),
            204..=219 => honest.wrapping_add(self.byte().into()),
            220..=235 => honest.wrapping_sub(self.byte().into()),
            _ => self.byte().into(),
        }
    }

    /// `honest`, or the same with a byte changed, or cut off.
    pub fn damage(&mut self, honest: &[u8]) -> Vec<u8> {
        let mut bytes = honest.to_vec();
        let place = usize::from(self.byte()) << 8 | usize::from(self.byte());
        match self.byte() {
            0..=127 => {
                let length = bytes.len().max(1);
                if let Some(byte) = bytes.get_mut(place % length) {
                    *byte ^= self.byte() | 1;
                }
            }
            128..=191 => bytes.truncate(place),
            _ => bytes.extend(self.bytes()),
        }
        bytes
    }
}
