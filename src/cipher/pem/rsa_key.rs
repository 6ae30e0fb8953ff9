//! The numbers of an RSA private key (RFC 8017 §A.1.2), and whether they are sound.

use pkcs8::der::asn1::UintRef;
use pkcs8::der::{Decode as _, Encode as _};
use rsa::pkcs1::{self, EncodeRsaPrivateKey as _, RsaPrivateKey};
use rsa::{BoxedUint, PrivateKey};

use crate::cipher::keys::{IdentityKey, KeyError};

use super::asn1::{self, Content};
use super::error::PemError;

/// The most primes of a key, so that a file cannot ask for endless work. OpenSSL makes five at
/// most.
const MAX_PRIMES: usize = 8;

/// The identity key in the DER of a private key.
pub(super) fn from_der(der: &[u8]) -> Result<IdentityKey, PemError> {
    from_content(&Content::of(der).ok_or(PemError::Damaged)?)
}

/// The identity key in a document.
pub(super) fn from_content(content: &Content<'_>) -> Result<IdentityKey, PemError> {
    match content {
        Content::Pkcs8(key) if key.algorithm.oid == pkcs1::ALGORITHM_OID => {
            // RFC 8017 §A.1 has NULL here. It may be missing, as nothing is missed without it.
            match key.algorithm.parameters {
                Some(parameters) if !parameters.is_null() => Err(PemError::Damaged),
                _ => from_pkcs1(key.private_key.as_bytes()),
            }
        }
        Content::Pkcs8(key) => Err(PemError::Algorithm(asn1::algorithm(key.algorithm.oid))),
        Content::Pkcs1(key) => from_pkcs1(key),
        Content::OtherKey(algorithm) => Err(PemError::Algorithm(algorithm)),
        Content::PublicKey => Err(PemError::PublicKey),
        Content::Certificate => Err(PemError::Certificate),
        Content::Encrypted(..) => Err(PemError::Protected),
    }
}

/// Reads the DER of an `RSAPrivateKey` (PKCS#1).
fn from_pkcs1(der: &[u8]) -> Result<IdentityKey, PemError> {
    let mut key = RsaPrivateKey::<UintRef<'_>>::from_der(der).map_err(|_| PemError::Damaged)?;
    // To check a key with long numbers takes long, and the library knows no longer exponents.
    if bits(key.modulus) > 4096 {
        return Err(PemError::Key(KeyError::Size));
    }
    if bits(key.public_exponent) > 32 {
        return Err(PemError::Key(KeyError::Exponent));
    }
    let numbers = Numbers::of(&key).ok_or(PemError::Damaged)?;
    if numbers.primes.len() > 2 {
        return Err(match numbers.key() {
            Ok(_) => PemError::ManyPrimes,
            Err(_) => PemError::Damaged,
        });
    }
    let rsa = numbers.key();
    let same_length = rsa.is_ok();
    let rsa = rsa
        .or_else(|_| numbers.key_of_uneven_primes())
        .map_err(|_| PemError::Damaged)?;
    // The library computes the last three numbers of a key itself and does not look at those in the
    // file, so it would not notice that they are damaged. The private exponent may differ: more
    // than one does the same.
    let again = rsa.to_pkcs1_der().map_err(|_| PemError::Damaged)?;
    let read = RsaPrivateKey::<UintRef<'_>>::from_der(again.as_bytes());
    key.private_exponent = read.map_err(|_| PemError::Damaged)?.private_exponent;
    if key.to_der().ok().as_deref() != Some(again.as_bytes()) {
        return Err(PemError::Damaged);
    }
    // The library signs at one speed with all keys that it takes. For other keys it has a slower
    // way, which must not be chosen by what the primes are: whoever measures the time would learn
    // of them.
    if !same_length {
        return Err(PemError::UnevenPrimes);
    }
    IdentityKey::from_rsa(rsa).map_err(PemError::Key)
}

fn bits(number: UintRef<'_>) -> u32 {
    BoxedUint::from_be_slice_vartime(number.as_bytes()).bit_width_vartime()
}

/// The private exponent modulo the totient of the product of `primes`, which has `width` bits: it
/// does the same. OpenSSL takes any exponent, the library only one below the modulus (RFC 8017
/// §3.2).
fn reduced(d: UintRef<'_>, primes: &[BoxedUint], width: u32) -> Option<BoxedUint> {
    let own_width = u32::try_from(d.as_bytes().len()).ok()? * 8;
    let d = BoxedUint::from_be_slice(d.as_bytes(), own_width).ok()?;
    let one = BoxedUint::one_with_precision(width);
    let totient = primes.iter().fold(one.clone(), |product, prime| {
        product.wrapping_mul(prime.wrapping_sub(&one))
    });
    Some(d.rem(&totient.into_nz().into_option()?))
}

struct Numbers {
    n: BoxedUint,
    e: BoxedUint,
    d: BoxedUint,
    primes: Vec<BoxedUint>,
}

impl Numbers {
    fn of(key: &RsaPrivateKey<UintRef<'_>>) -> Option<Self> {
        let width = u32::try_from(key.modulus.as_bytes().len()).ok()? * 8;
        let number = |written: UintRef<'_>| BoxedUint::from_be_slice(written.as_bytes(), width);
        let others = key.other_prime_infos.iter().flatten();
        let primes: Vec<_> = [key.prime1, key.prime2]
            .into_iter()
            .chain(others.map(|other| other.prime))
            .take(MAX_PRIMES + 1)
            .map(number)
            .collect::<Result<_, _>>()
            .ok()?;
        (primes.len() <= MAX_PRIMES).then_some(())?;
        Some(Self {
            n: number(key.modulus).ok()?,
            e: number(key.public_exponent).ok()?,
            d: reduced(key.private_exponent, &primes, width)?,
            primes,
        })
    }

    fn key(&self) -> rsa::Result<PrivateKey> {
        let Self { n, e, d, primes } = self;
        PrivateKey::from_components(n.clone(), e.clone(), d.clone(), primes.clone())
    }

    fn key_of_uneven_primes(&self) -> rsa::Result<PrivateKey> {
        let Self { n, e, d, primes } = self;
        PrivateKey::from_components_with_wide_primes(
            n.clone(),
            e.clone(),
            d.clone(),
            primes.clone(),
        )
    }
}

#[cfg(test)]
mod tests {
    use rsa::pkcs1::OtherPrimeInfo;

    use super::*;

    /// The DER of a key with these numbers, big-endian, and for the others 1.
    fn der(n: &[u8], e: &[u8], d: &[u8], primes: &[u8]) -> Vec<u8> {
        let number = |bytes| UintRef::new(bytes).unwrap();
        let one = number(&[1]);
        let mut primes = primes
            .iter()
            .map(|prime| number(std::slice::from_ref(prime)));
        let [first, second] = [(); 2].map(|()| primes.next().unwrap_or(one));
        let others: Vec<_> = primes
            .map(|prime| OtherPrimeInfo {
                prime,
                exponent: one,
                coefficient: one,
            })
            .collect();
        let key = RsaPrivateKey {
            modulus: number(n),
            public_exponent: number(e),
            private_exponent: number(d),
            prime1: first,
            prime2: second,
            exponent1: one,
            exponent2: one,
            coefficient: one,
            other_prime_infos: (!others.is_empty()).then_some(others),
        };
        key.to_der().unwrap()
    }

    fn refused(der: &[u8]) -> Option<PemError> {
        from_der(der).err()
    }

    #[test]
    fn numbers_that_would_take_long_to_check_are_not_checked() {
        let [longest, shortest_too_long] = [[&[1; 512][..], &[]], [&[1], &[0; 512]]];
        for (n, error) in [
            (longest.concat(), PemError::Damaged),
            (shortest_too_long.concat(), PemError::Key(KeyError::Size)),
            (vec![1; 1024], PemError::Key(KeyError::Size)),
        ] {
            assert_eq!(refused(&der(&n, &[1, 0, 1], &[3], &[])), Some(error));
        }
        for (e, error) in [
            (&[0xff; 4][..], PemError::Damaged),
            (&[1, 0, 0, 0, 0], PemError::Key(KeyError::Exponent)),
            (&[1; 256], PemError::Key(KeyError::Exponent)),
        ] {
            assert_eq!(refused(&der(&[1; 256], e, &[3], &[])), Some(error));
        }
    }

    #[test]
    fn a_sound_key_of_up_to_eight_primes_is_told_from_a_damaged_one() {
        // For each number of primes their product, and the private exponent for 17.
        const PRIMES: [u8; 9] = [5, 7, 11, 13, 17, 19, 23, 29, 31];
        let keys = [
            (3, 385_u64, 53_u64),
            (8, 1_078_282_205, 35_873),
            (9, 33_426_748_355, 35_873),
        ];
        for (primes, n, d) in keys {
            let (primes, _) = PRIMES.split_at(primes);
            let key = |n: u64| der(&n.to_be_bytes(), &[17], &d.to_be_bytes(), primes);
            let sound = match primes.len() {
                9 => PemError::Damaged,
                _ => PemError::ManyPrimes,
            };
            assert_eq!(refused(&key(n)), Some(sound), "{primes:?}");
            assert_eq!(refused(&key(n + 2)), Some(PemError::Damaged), "{primes:?}");
        }
    }
}
