//! What came with an address that a person wrote.

use crate::api::SecretText;
use crate::base::secret::Secret;
use crate::destination::connect::Address;

/// What the person entered and chose beside an address.
#[derive(Debug)]
pub(crate) struct EnteredOptions {
    allow_http: bool,
    secret: Option<Secret>,
    trusts_checksum: bool,
}

impl EnteredOptions {
    /// As a request has it.
    pub fn new(allow_http: bool, secret: Option<SecretText>, trusts_checksum: bool) -> Self {
        Self { allow_http, secret: secret.map(SecretText::into_inner), trusts_checksum }
    }

    /// The address with these options. Trust in a checksum counts only where there is that choice.
    pub fn with(self, address: Address) -> Address {
        let trusts_checksum = self.trusts_checksum && address.kind.has_checksum_choice();
        Address { is_http_agreed: self.allow_http, secret: self.secret, trusts_checksum, ..address }
    }
}
