//! The numbers of the frame types (PROTOCOL §6).

pub(super) const CHALLENGE: u8 = 0x01;
pub(in crate::room) const HELLO: u8 = 0x02;
pub(super) const WELCOME: u8 = 0x03;
pub(in crate::room) const MEMBER: u8 = 0x04;
pub(super) const ABSENT: u8 = 0x05;
pub(super) const SEND: u8 = 0x10;
pub(in crate::room) const ENTRY: u8 = 0x11;
pub(in crate::room) const OWN: u8 = 0x12;
pub(in crate::room) const DELIVER: u8 = 0x13;
pub(in crate::room) const REKEY: u8 = 0x14;
pub(in crate::room) const STATEMENT: u8 = 0x15;
pub(in crate::room) const RECEIPT: u8 = 0x16;
pub(super) const REFUSED: u8 = 0x17;
pub(super) const PASSED: u8 = 0x18;
pub(super) const PING: u8 = 0x20;
pub(super) const ACK: u8 = 0x21;
pub(super) const NOTICE: u8 = 0x22;

/// Whether frames of this type are counted for ACK.
pub(in crate::room) fn is_counted(kind: u8) -> bool {
    (0x10..=0x1f).contains(&kind)
}
