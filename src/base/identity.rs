//! What the application calls itself: to the desktop, on the bus and to a person.

use std::sync::LazyLock;

/// The application's id in reverse-DNS form: the name of its desktop entry, icon, D-Bus service and
/// AppStream component, and the class of its window. The files in `packaging` carry the same name.
pub const APP_ID: &str = "app.safelight.Safelight";
/// The release, as in `Cargo.toml`.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that a package was built from. `packaging/build` sets the variable; a build straight
/// from a checkout has none, so that a new commit does not compile everything again.
const COMMIT: Option<&str> = option_env!("SAFELIGHT_COMMIT");

/// Returns the release with the commit that it was built from, such as `0.1.0 (5f1e2a77b0c1)`.
pub fn version_with_commit() -> &'static str {
    static TEXT: LazyLock<String> = LazyLock::new(|| describe(VERSION, COMMIT));
    &TEXT
}

fn describe(version: &str, commit: Option<&str>) -> String {
    match commit.filter(|commit| !commit.is_empty()) {
        Some(commit) => format!("{version} ({commit})"),
        None => format!("{version} (development build)"),
    }
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn a_build_without_a_commit_says_so() {
        assert_eq!(describe("1.2.3", Some("5f1e2a77b0c1")), "1.2.3 (5f1e2a77b0c1)");
        assert_eq!(describe("1.2.3", None), "1.2.3 (development build)");
        assert_eq!(describe("1.2.3", Some("")), "1.2.3 (development build)");
    }
}
