//! RSA keys and what is done with them.
