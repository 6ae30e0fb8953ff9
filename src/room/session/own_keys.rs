//! A member's own session keys: the present one, and those that messages may still be under way to.

use std::sync::Arc;
use std::time::Duration;

use crate::cipher::keys::SessionKey;
use crate::room::card::SessionId;

use super::history::At;

/// How long a key outlives the next one's coming back from the relay: all that was on its way to this
/// member has come before that, and what the others write until they have it comes soon after.
const REMAINS: Duration = Duration::from_mins(1);

/// How long it outlives the announcement of the next one, whatever the relay does.
const REMAINS_AT_MOST: Duration = Duration::from_mins(10);

/// How many of them are known, destroyed ones included.
const KNOWN_KEYS: usize = 1024;

/// The keys, from the oldest to the newest.
pub(super) struct OwnKeys(Vec<OwnKey>);

struct OwnKey {
    sid: SessionId,
    /// How far this member had come when it announced it, if it has changed to it: to a relay that may
    /// have listed it without this member's being shown that.
    announced: Option<At>,
    /// The position from which on the roster has it; `None` while the relay has not said so.
    listed: Option<At>,
    /// The run in which it was first presented, if this member joins with it.
    presented: Option<usize>,
    /// When it is destroyed, if its successor has been announced.
    ends: Option<Duration>,
    /// `None` once it is destroyed. A job that opens with it keeps it until then.
    key: Option<Arc<SessionKey>>,
}

impl OwnKeys {
    /// The key that a member joins with.
    pub(super) fn new(sid: SessionId, key: SessionKey) -> Self {
        Self(vec![OwnKey {
            sid,
            announced: None,
            listed: None,
            presented: None,
            ends: None,
            key: Some(Arc::new(key)),
        }])
    }

    /// This member presents its card in one of the relay's runs. Where it has done so before and got no
    /// answer, the others may have had its first key since then.
    pub(super) fn present(&mut self, run: usize) {
        if let Some(first) = self.0.first_mut().filter(|own| own.listed.is_none()) {
            let before = first.presented.replace(run);
            first.listed = before.map(|run| At { run, position: 0 });
        }
    }

    /// A new key is announced, at this position. Whatever the relay makes of it, the old ones do not
    /// last.
    pub(super) fn announce(&mut self, sid: SessionId, key: SessionKey, at: At, now: Duration) {
        for old in &mut self.0 {
            old.ends.get_or_insert(now + REMAINS_AT_MOST);
        }
        if self.0.len() == KNOWN_KEYS {
            self.0.remove(0);
        }
        self.0.push(OwnKey {
            sid,
            announced: Some(at),
            listed: None,
            presented: None,
            ends: None,
            key: Some(Arc::new(key)),
        });
    }

    /// The relay has refused the key that was announced last: the one before is the present one, as
    /// it was.
    pub(super) fn take_back(&mut self) {
        self.0.pop_if(|last| last.listed.is_none());
        if let Some(before) = self.0.last_mut() {
            before.ends = None;
        }
    }

    /// The roster has this session id from this position on, which is dealt with now. The keys before it
    /// do not last. Returns whether that is news, and the key one that waited for it.
    pub(super) fn list(&mut self, sid: SessionId, at: At, now: Duration) -> bool {
        let is_it = |own: &OwnKey| own.sid == sid && own.listed.is_none();
        let Some(place) = self.0.iter().position(is_it) else {
            return false;
        };
        for (number, own) in self.0.iter_mut().enumerate() {
            if number < place {
                own.ends = own.ends.map(|ends| ends.min(now + REMAINS));
            } else if number == place {
                own.listed = Some(at);
            }
        }
        true
    }

    /// The session id that the roster had at a position; `None` before this member came.
    pub(super) fn at(&self, at: At) -> Option<SessionId> {
        let is_listed = |own: &&OwnKey| own.listed.is_some_and(|listed| listed <= at);
        self.0.iter().rfind(is_listed).map(|own| own.sid)
    }

    /// The session ids under which somebody at a position may have known this member, the newest first:
    /// one, or none, if this member was shown that position. If it was not there, more than one may have
    /// been listed; and whoever expected it back knew one that it had before.
    pub(super) fn perhaps_at(&self, at: At, was_shown: bool) -> Vec<SessionId> {
        if was_shown {
            return self.at(at).into_iter().collect();
        }
        let may_be = |own: &&OwnKey| {
            let is_listed = own.listed.is_some_and(|listed| listed <= at);
            is_listed || own.announced.is_some_and(|since| since < at)
        };
        let known = self.0.iter().rev().filter(may_be);
        known.map(|own| own.sid).collect()
    }

    /// All session ids that this member has had, the newest first.
    pub(super) fn all(&self) -> Vec<SessionId> {
        self.0.iter().rev().map(|own| own.sid).collect()
    }

    /// The key that a session id of this member's has, if it is not destroyed.
    pub(super) fn of(&self, sid: SessionId) -> Option<&Arc<SessionKey>> {
        let own = self.0.iter().find(|own| own.sid == sid)?;
        own.key.as_ref()
    }

    /// When the next key is to be destroyed.
    pub(super) fn next_end(&self) -> Option<Duration> {
        let alive = self.0.iter().filter(|own| own.key.is_some());
        alive.filter_map(|own| own.ends).min()
    }

    /// Whether it is or was a session id of this member's.
    pub(super) fn contains(&self, sid: SessionId) -> bool {
        self.0.iter().any(|own| own.sid == sid)
    }

    /// Whether there is one key at most, and the roster has it.
    pub(super) fn is_settled(&self) -> bool {
        let mut left = self.0.iter().filter(|own| own.key.is_some());
        left.next().is_none_or(|own| own.listed.is_some()) && left.next().is_none()
    }

    /// Destroys them all.
    pub(super) fn destroy_all(&mut self) {
        for own in &mut self.0 {
            own.key = None;
        }
    }

    /// Destroys the keys whose time has come.
    pub(super) fn destroy_old(&mut self, now: Duration) {
        for own in &mut self.0 {
            if own.ends.is_some_and(|ends| ends <= now) {
                own.key = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cipher::keys::KeySize;

    const OLD: SessionId = SessionId([1; 32]);
    const NEW: SessionId = SessionId([2; 32]);
    const ALMOST: Duration = REMAINS_AT_MOST.saturating_sub(Duration::from_millis(1));

    fn at(position: u64) -> At {
        At { run: 0, position }
    }

    fn key() -> SessionKey {
        SessionKey::generate(KeySize::Bits2048)
    }

    #[test]
    fn messages_that_cross_a_new_key_meet_the_old_one() {
        let mut keys = OwnKeys::new(OLD, key());
        assert!(keys.list(OLD, at(5), Duration::ZERO));
        keys.announce(NEW, key(), at(5), Duration::ZERO);
        assert_eq!(keys.at(at(9)), Some(OLD));
        assert_eq!(keys.perhaps_at(at(5), false), [OLD]);
        assert_eq!(keys.perhaps_at(at(6), false), [NEW, OLD]);
        assert_eq!(keys.perhaps_at(at(6), true), [OLD]);
        assert!(keys.list(NEW, at(9), Duration::ZERO));
        assert_eq!(keys.perhaps_at(at(6), false), [NEW, OLD]);
        assert_eq!(keys.perhaps_at(at(9), true), [NEW]);
        assert_eq!(
            keys.perhaps_at(at(9), false),
            [NEW, OLD],
            "its author may know no other"
        );
        assert_eq!(keys.perhaps_at(at(4), false), [], "before it came");
        assert!(
            !keys.list(NEW, at(10), Duration::ZERO),
            "a relay may say so again"
        );
        assert!(!keys.list(OLD, at(10), Duration::ZERO));
        assert_eq!(keys.at(at(9)), Some(NEW));
        assert_eq!(keys.at(at(8)), Some(OLD));
        assert_eq!(keys.at(at(4)), None, "before it came");
        assert!(keys.of(OLD).is_some());
    }

    #[test]
    fn whoever_got_no_answer_may_have_been_in_the_room_since_then() {
        let mut keys = OwnKeys::new(OLD, key());
        keys.present(0);
        assert_eq!(keys.at(at(4)), None);
        keys.present(0);
        assert_eq!(keys.at(at(4)), Some(OLD));
    }

    #[test]
    fn an_old_key_is_destroyed_a_minute_after_the_others_have_the_next_one() {
        let mut keys = OwnKeys::new(OLD, key());
        keys.announce(NEW, key(), at(5), Duration::ZERO);
        let late = REMAINS * 3;
        assert!(keys.list(NEW, at(9), late));
        keys.destroy_old(late + Duration::from_millis(59_999));
        assert!(keys.of(OLD).is_some());
        keys.destroy_old(late + REMAINS);
        assert!(keys.of(OLD).is_none());
    }

    #[test]
    fn an_old_key_is_destroyed_in_time_even_if_the_relay_never_answers() {
        let mut keys = OwnKeys::new(OLD, key());
        keys.announce(NEW, key(), at(5), Duration::ZERO);
        keys.destroy_old(ALMOST);
        assert!(keys.of(OLD).is_some());
        // An answer then does not prolong it.
        keys.list(NEW, at(9), ALMOST);
        keys.destroy_old(REMAINS_AT_MOST);
        assert!(keys.of(OLD).is_none());
    }
}
