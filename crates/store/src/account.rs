//! Accounts as the store knows them: a name and the documents that were applied to it.

use clock::Time;
use pbx::AccountId;

/// One applied version of an account's document. The bytes are the owner's: the store does not
/// look into them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDocument {
    /// The account.
    pub account: AccountId,
    /// Its name, unique on the server.
    pub name: String,
    /// 1 for the first document, then one more each time.
    pub version: u32,
    /// When it was applied.
    pub applied_at: Time,
    /// The document as it was given, sealed by the owner.
    pub document: Vec<u8>,
}
