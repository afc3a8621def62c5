//! Enums whose variants have names that are stored in the database and sent between processes.
//!
//! The names come from `strum`'s derives: snake case, or what a variant's own attribute says. A name
//! never changes once a release has written it.

/// Adds `ALL`, `as_str` and `parse` to enums that derive `EnumCount`, `EnumString`, `IntoStaticStr`
/// and `VariantArray`.
macro_rules! stable_names {
    ($($name:ident),+ $(,)?) => {$(
        impl $name {
            /// All values, in the order of their declaration.
            pub const ALL: [Self; <Self as strum::EnumCount>::COUNT] =
                match <Self as strum::VariantArray>::VARIANTS.first_chunk() {
                    Some(all) => *all,
                    None => unreachable!(),
                };

            /// The stable name.
            pub fn as_str(self) -> &'static str {
                self.into()
            }

            /// The value with this stable name, or `None`.
            pub fn parse(text: &str) -> Option<Self> {
                text.parse().ok()
            }
        }
    )+};
}
pub(crate) use stable_names;
