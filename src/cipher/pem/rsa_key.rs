//! The numbers of an RSA private key (RFC 8017 §A.1.2), and whether they are sound.

use pkcs8::der::Decode as _;
use pkcs8::der::asn1::UintRef;
use rsa::pkcs1::{EncodeRsaPrivateKey as _, RsaPrivateKey};
use rsa::{BoxedUint, PrivateKey};

use crate::cipher::keys::{IdentityKey, KeyError};

use super::PemError;

/// A key may have that many primes, so that a file cannot ask for endless work. OpenSSL makes five
/// at the most.
const MAX_PRIMES: usize = 8;

/// Reads the DER of an `RSAPrivateKey`.
pub(super) fn read(der: &[u8]) -> Result<IdentityKey, PemError> {
    let key = RsaPrivateKey::<UintRef<'_>>::from_der(der).map_err(|_| PemError::Damaged)?;
    // Checking a key takes long where its numbers are, and the library knows no longer exponents.
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
    let even = rsa.is_ok();
    let rsa = rsa
        .or_else(|_| numbers.key_of_uneven_primes())
        .map_err(|_| PemError::Damaged)?;
    // The library works the last three numbers of a key out anew and does not look at those in the
    // file, so it would not notice that they are damaged.
    match rsa.to_pkcs1_der() {
        Ok(again) if again.as_bytes() == der => {}
        _ => return Err(PemError::Damaged),
    }
    // The library signs at one speed with all keys that it takes. The slower way for others is not
    // to be chosen because of what the primes are, for whoever measures it would learn of them.
    if !even {
        return Err(PemError::UnevenPrimes);
    }
    IdentityKey::from_rsa(rsa).map_err(PemError::Key)
}

fn bits(number: UintRef<'_>) -> u32 {
    BoxedUint::from_be_slice_vartime(number.as_bytes()).bit_width_vartime()
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
            d: number(key.private_exponent).ok()?,
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
