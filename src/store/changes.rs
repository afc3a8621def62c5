//! placeholder until the library's history lands
use super::rows::StoreError;
use super::writer::Read;
use crate::domain::ids::FileId;
pub struct ChangePage {
    pub files: Vec<FileId>,
    pub token: i64,
    pub has_more: bool,
}
impl Read<'_> {
    pub fn newest_token(&self) -> Result<i64, StoreError> {
        Ok(0)
    }
    pub fn changes_since(&self, _t: i64, _l: u32) -> Result<Option<ChangePage>, StoreError> {
        Ok(None)
    }
}
