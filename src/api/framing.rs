//! How messages lie on a byte stream: four bytes of length, most significant first, then JSON.
//!
//! Pure: nothing here reads or writes a socket. A length is checked before anything of it is
//! believed, so a hostile peer cannot make the other end reserve memory.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Bytes before each message.
pub const HEAD_LEN: usize = 4;

/// A message that cannot be sent, or bytes that are none.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than the receiver allows.
    #[error("a message of {len} bytes is longer than the {max} allowed")]
    TooLong {
        /// Its length.
        len: usize,
        /// The limit.
        max: usize,
    },
    /// Not the JSON that was expected.
    #[error("a message was not understood: {0}")]
    Malformed(#[from] serde_json::Error),
}

/// The message with its length before it.
///
/// # Errors
/// [`FrameError::TooLong`] when it is longer than `max`.
pub fn encode<T: Serialize>(message: &T, max: usize) -> Result<Vec<u8>, FrameError> {
    let mut frame = vec![0; HEAD_LEN];
    serde_json::to_writer(&mut frame, message)?;
    let len = frame.len() - HEAD_LEN;
    match u32::try_from(len) {
        Ok(head) if len <= max => {
            frame[..HEAD_LEN].copy_from_slice(&head.to_be_bytes());
            Ok(frame)
        }
        _too_long => Err(FrameError::TooLong { len, max }),
    }
}

/// How many bytes follow this head.
///
/// # Errors
/// [`FrameError::TooLong`] when they are more than `max`.
pub fn body_len(head: [u8; HEAD_LEN], max: usize) -> Result<usize, FrameError> {
    let len = usize::try_from(u32::from_be_bytes(head)).unwrap_or(usize::MAX);
    if len > max { Err(FrameError::TooLong { len, max }) } else { Ok(len) }
}

/// The message in a body.
///
/// # Errors
/// [`FrameError::Malformed`] when it is none.
pub fn decode<T: DeserializeOwned>(body: &[u8]) -> Result<T, FrameError> {
    Ok(serde_json::from_slice(body)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::{
        Call, Command, FRAME_LEN_MAX, Frame, HELLO_LEN_MAX, Hello, Operation, PathText, Reply, Request,
        RestoreLayout, RestoreOrder, RestoreScope, RestoreTarget, SecretText, Selection,
    };

    fn any_request() -> impl Strategy<Value = Request> {
        let path =
            || prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| PathText::from_bytes(&bytes));
        let items = || prop::collection::vec("\\PC{0,12}", 0..5);
        prop_oneof![
            Just(Request::Subscribe),
            (path(), any::<bool>())
                .prop_map(|(path, consent_all)| Request::Command(Command::AddSource { path, consent_all })),
            (path(), any::<Option<String>>(), any::<bool>(), any::<bool>(), any::<Option<String>>())
                .prop_map(|(target, name, allow_http, consent_all, secret)| Request::Command(
                    Command::AddDestination {
                        target,
                        name,
                        allow_http,
                        consent_all,
                        secret: secret.map(SecretText::new),
                        trust_checksum: !allow_http,
                    }
                )),
            any::<Option<u64>>().prop_map(|for_secs| Request::Command(Command::Pause { for_secs })),
            items().prop_map(|ids| Request::Command(Command::Retry(Selection::Items(ids)))),
            any::<String>().prop_map(|kind| Request::Command(Command::Exclude(Selection::Kind(kind)))),
            (any::<i64>(), path(), any::<bool>(), any::<Option<String>>()).prop_map(
                |(destination, into, is_dates, only)| {
                    let layout = if is_dates { RestoreLayout::Dates } else { RestoreLayout::Folders };
                    let (target, scope) = match only {
                        Some(only) => (RestoreTarget::Folder(into), RestoreScope::Glob(only)),
                        None => (RestoreTarget::Original, RestoreScope::All),
                    };
                    Request::Operation(Operation::Restore(RestoreOrder {
                        destination,
                        target,
                        layout,
                        scope,
                    }))
                }
            ),
        ]
    }

    proptest! {
        #[test]
        fn any_call_comes_back_as_it_was(id: u64, request in any_request()) {
            let call = Call { id, request };
            let bytes = encode(&call, FRAME_LEN_MAX).expect("encode");
            let (head, body) = bytes.split_first_chunk::<HEAD_LEN>().expect("a head");
            prop_assert_eq!(body_len(*head, FRAME_LEN_MAX).expect("fits"), body.len());
            prop_assert_eq!(decode::<Call>(body).expect("decode"), call);
            // Cut anywhere, it is not another call.
            for cut in 0..body.len() {
                prop_assert!(decode::<Call>(&body[..cut]).is_err());
            }
        }

        #[test]
        fn any_bytes_are_survived(head: [u8; HEAD_LEN], body in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(body_len(head, HELLO_LEN_MAX).is_ok_and(|len| len <= HELLO_LEN_MAX)
                || u32::from_be_bytes(head) as usize > HELLO_LEN_MAX);
            decode::<Call>(&body).ok();
            decode::<Frame>(&body).ok();
            decode::<Hello>(&body).ok();
        }
    }

    #[test]
    fn a_message_comes_back_as_it_was() {
        let message = Frame::Reply { id: 7, outcome: Ok(Reply::Done) };
        let bytes = encode(&message, 1_000).expect("encode");
        let len = body_len([bytes[0], bytes[1], bytes[2], bytes[3]], 1_000).expect("len");
        assert_eq!(len, bytes.len() - HEAD_LEN);
        assert_eq!(decode::<Frame>(&bytes[HEAD_LEN..]).expect("decode"), message);
    }

    #[test]
    fn a_length_is_refused_before_it_is_believed() {
        assert!(matches!(body_len([0xff; 4], 8 << 20), Err(FrameError::TooLong { .. })));
        assert_eq!(body_len([0, 0, 0, 8], 8).expect("fits"), 8);
        assert!(body_len([0, 0, 0, 9], 8).is_err());
        assert!(matches!(encode(&"123456789", 8), Err(FrameError::TooLong { len: 11, max: 8 })));
        assert!(matches!(decode::<Frame>(b"\xff{"), Err(FrameError::Malformed(_))));
    }
}
