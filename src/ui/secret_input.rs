//! A field for a password, key or token: bound to the server it was typed for, and wiped when it is left.

use std::any::TypeId;
use std::ops::Range;

use eframe::egui::{
    Event, Id, ImeEvent, InputState, TextBuffer, Ui, text::CharIndex, text_edit::TextEditState,
};
use zeroize::{Zeroize as _, Zeroizing};

use super::widgets;
use crate::api::SecretText;

/// The longest secret that is taken, in characters.
const SECRET_CHARS_MAX: usize = 512;
/// Bytes of a character at most: room for the longest secret is made once, so that typing moves no bytes
/// to memory that nobody wipes.
const CHAR_BYTES_MAX: usize = 4;

/// A dot in the place of a character.
const MASK: &str = "•";

/// Text behind a mask: whatever reads it as a text buffer gets a dot for each character, so that the text
/// field keeps no copy of it for drawing, undoing or assistive technology.
struct MaskedText {
    text: Zeroizing<String>,
    mask: String,
    is_changed: bool,
}

impl MaskedText {
    fn byte_at(&self, at: CharIndex) -> usize {
        self.text.char_indices().nth(at.0).map_or(self.text.len(), |(byte, _)| byte)
    }

    fn wipe(&mut self) {
        self.text.zeroize();
        self.mask.clear();
    }
}

impl TextBuffer for MaskedText {
    fn is_mutable(&self) -> bool {
        true
    }

    fn as_str(&self) -> &str {
        &self.mask
    }

    fn insert_text(&mut self, text: &str, at: CharIndex) -> usize {
        let byte = self.byte_at(at);
        self.text.insert_str(byte, text);
        let chars = text.chars().count();
        self.mask.push_str(&MASK.repeat(chars));
        self.is_changed |= chars > 0;
        chars
    }

    fn delete_char_range(&mut self, range: Range<CharIndex>) {
        let (from, to) = (self.byte_at(range.start), self.byte_at(range.end));
        self.text.replace_range(from..to, "");
        self.mask = MASK.repeat(self.text.chars().count());
        self.is_changed |= to > from;
    }

    /// What undoing would bring back is dots, and no secret.
    fn replace_with(&mut self, _dots: &str) {}

    fn type_id(&self) -> TypeId {
        TypeId::of::<Self>()
    }
}

/// What was typed. Its memory is wiped when it goes.
pub(super) struct SecretInput {
    typed: MaskedText,
    /// The server that it was typed for, or was sent to; `None` while there is none.
    origin: Option<String>,
    /// It was wiped because the server is another one now.
    was_cleared: bool,
}

impl Default for SecretInput {
    fn default() -> Self {
        let text = Zeroizing::new(String::with_capacity(SECRET_CHARS_MAX * CHAR_BYTES_MAX));
        let typed = MaskedText { text, mask: String::new(), is_changed: false };
        Self { typed, origin: None, was_cleared: false }
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
        self.typed.text.is_empty()
    }

    /// Forgets what was typed and wipes its memory.
    pub fn wipe(&mut self) {
        self.typed.wipe();
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
        let mut text = String::with_capacity(before.len() + self.typed.text.len());
        text.push_str(before);
        text.push_str(&self.typed.text);
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
        let (id, entered) = widgets::secret_field(ui, &mut self.typed, SECRET_CHARS_MAX, name, width);
        // Undo would keep how much was typed, also for the next secret in the same place.
        forget_typing(ui, id);
        let is_changed = std::mem::take(&mut self.typed.is_changed);
        if is_changed {
            ui.input_mut(wipe_typing);
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
        self.typed.insert_text(text, CharIndex(0));
    }
}

fn forget_typing(ui: &Ui, id: Id) {
    if let Some(mut state) = TextEditState::load(ui.ctx(), id) {
        state.clear_undoer();
        state.store(ui.ctx(), id);
    }
}

/// Wipes what was typed or pasted in this frame from the frame's own events.
fn wipe_typing(input: &mut InputState) {
    for event in input.events.iter_mut().chain(&mut input.raw.events) {
        match event {
            Event::Text(text) | Event::Paste(text) | Event::Ime(ImeEvent::Commit(text)) => text.zeroize(),
            _ => {}
        }
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
        let (place, room) = (input.typed.text.as_ptr(), input.typed.text.capacity());
        input.set(&"x".repeat(SECRET_CHARS_MAX));
        assert_eq!((input.typed.text.as_ptr(), input.typed.text.capacity()), (place, room));
        input.wipe();
        input.set(&" ".repeat(SECRET_CHARS_MAX));
        assert!(!input.typed.text.contains('x'));
        assert_eq!(input.typed.text.as_ptr(), place, "the same memory is used again");
    }

    #[test]
    fn the_text_field_sees_dots_alone() {
        let mut input = SecretInput::default();
        let typed = &mut input.typed;
        assert_eq!(typed.insert_text("plänted", CharIndex(0)), 7);
        typed.insert_text("é", CharIndex(2));
        typed.delete_char_range(CharIndex(0)..CharIndex(1));
        assert_eq!((typed.text.as_str(), typed.as_str()), ("léänted", "•••••••"));
        typed.replace_with("•••");
        assert_eq!(typed.text.as_str(), "léänted", "undoing brings no dots into it");
        typed.delete_char_range(CharIndex(0)..CharIndex(7));
        assert!(typed.text.is_empty() && typed.mask.is_empty() && typed.is_changed);
    }

    #[test]
    fn events_are_wiped_of_what_was_typed() {
        let mut input = InputState::default();
        input.events = vec![Event::Text("p".into()), Event::Paste("planted".into()), Event::Copy];
        input.raw.events = input.events.clone();
        wipe_typing(&mut input);
        let left = format!("{:?}{:?}", input.events, input.raw.events);
        assert!(!left.contains("planted") && !left.contains("\"p\"") && left.contains("Copy"), "{left}");
    }
}
