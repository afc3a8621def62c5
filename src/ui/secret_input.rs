//! A field for a password, key or token: bound to the server it was typed for, and wiped when it is left.

use eframe::egui::{Id, Ui, text_edit::TextEditState};
use zeroize::{Zeroize as _, Zeroizing};

use super::widgets;
use crate::api::SecretText;

/// The longest secret that is taken, in characters.
const SECRET_CHARS_MAX: usize = 512;
/// Bytes of a character at most: room for the longest secret is made once, so that typing moves no bytes
/// to memory that nobody wipes.
const CHAR_BYTES_MAX: usize = 4;

/// What was typed. Its memory is wiped when it goes.
pub(super) struct SecretInput {
    text: Zeroizing<String>,
    /// The server that it was typed for, or was sent to; `None` while there is none.
    origin: Option<String>,
    /// It was wiped because the server is another one now.
    was_cleared: bool,
}

impl Default for SecretInput {
    fn default() -> Self {
        let text = Zeroizing::new(String::with_capacity(SECRET_CHARS_MAX * CHAR_BYTES_MAX));
        Self { text, origin: None, was_cleared: false }
    }
}

impl std::fmt::Debug for SecretInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretInput(…)")
    }
}

impl SecretInput {
    /// Whether nothing was typed.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Forgets what was typed and wipes its memory.
    pub fn wipe(&mut self) {
        self.text.zeroize();
        self.origin = None;
        self.was_cleared = false;
    }

    /// The server is this one now: what was typed for another is wiped. An empty origin is none yet.
    pub fn set_origin(&mut self, origin: &str) {
        let is_other = self.origin.as_deref().is_some_and(|bound| bound != origin);
        if is_other {
            self.wipe();
            self.was_cleared = true;
        }
    }

    /// From now on it belongs to this server, as it is sent there.
    pub fn bind(&mut self, origin: &str) {
        if !self.is_empty() {
            self.origin = Some(origin.to_owned());
        }
    }

    /// A copy to be sent, with `before` in front; `None` if nothing was typed.
    pub fn copy(&self, before: &str) -> Option<SecretText> {
        if self.is_empty() {
            return None;
        }
        let mut text = String::with_capacity(before.len() + self.text.len());
        text.push_str(before);
        text.push_str(&self.text);
        Some(SecretText::new(text))
    }

    /// What was typed, which is then forgotten here.
    pub fn take(&mut self) -> Option<SecretText> {
        let secret = self.copy("");
        self.wipe();
        secret
    }

    /// [`Self::take`], if it is to be.
    pub fn take_if(&mut self, is_due: bool) -> Option<SecretText> {
        if is_due { self.take() } else { None }
    }

    /// Paints the field. Returns whether it was changed, and whether Enter was pressed in it.
    pub fn ui(&mut self, ui: &mut Ui, name: &str, width: f32, origin: &str) -> (bool, bool) {
        let before = Zeroizing::new(self.text.to_string());
        let (id, entered) = widgets::secret_field(ui, &mut self.text, SECRET_CHARS_MAX, name, width);
        // Undo would keep what was typed, also for the next secret in the same place.
        forget_typing(ui, id);
        let is_changed = *self.text != *before;
        if is_changed {
            self.was_cleared = false;
            self.origin = (!origin.is_empty() && !self.is_empty()).then(|| origin.to_owned());
        }
        if self.was_cleared {
            let text = format!("{name} was cleared, because it was typed for another server");
            widgets::field_note(ui, &text);
        }
        (is_changed, entered)
    }

    /// Sets what was typed.
    #[cfg(test)]
    pub fn set(&mut self, text: &str) {
        self.wipe();
        self.text.push_str(text);
    }
}

fn forget_typing(ui: &Ui, id: Id) {
    if let Some(mut state) = TextEditState::load(ui.ctx(), id) {
        state.clear_undoer();
        state.store(ui.ctx(), id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_stays_with_the_server_it_was_typed_for() {
        let mut input = SecretInput::default();
        input.set("planted");
        input.set_origin("https://a");
        assert!(!input.is_empty(), "typed before there was a server");
        input.bind("https://a");
        input.set_origin("https://a");
        assert_eq!(input.copy("ID:"), Some(SecretText::new("ID:planted".to_owned())));
        input.set_origin("http://a");
        assert!(input.is_empty() && input.was_cleared, "the same name without encryption is another server");
        assert_eq!(input.take(), None);
        assert!(!format!("{input:?}").contains("planted"));
    }

    #[test]
    fn wiping_leaves_nothing_in_memory_and_typing_moves_nothing() {
        let mut input = SecretInput::default();
        let (place, room) = (input.text.as_ptr(), input.text.capacity());
        input.set(&"x".repeat(SECRET_CHARS_MAX));
        assert_eq!((input.text.as_ptr(), input.text.capacity()), (place, room));
        input.wipe();
        input.text.push_str(&" ".repeat(SECRET_CHARS_MAX));
        assert!(!input.text.contains('x'));
        assert_eq!(input.text.as_ptr(), place, "the same memory is used again");
    }
}
