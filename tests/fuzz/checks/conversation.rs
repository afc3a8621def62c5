//! The bytes that come over the local socket, from a client and from the agent.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::api::framing::{HEAD_LEN, body_len, decode, encode};
use crate::api::{Call, FRAME_LEN_MAX, Frame, HELLO_LEN_MAX, Hello, Welcome};

/// A stream of frames as either end would read it, and each body as every message.
pub fn check(data: &[u8]) {
    let mut rest = data;
    while let Some((head, after)) = rest.split_first_chunk::<HEAD_LEN>() {
        let Ok(len) = body_len(*head, FRAME_LEN_MAX) else { break };
        assert!(len <= FRAME_LEN_MAX);
        let Some((body, next)) = after.split_at_checked(len) else { break };
        messages(body);
        rest = next;
    }
    messages(data);
}

fn messages(body: &[u8]) {
    again::<Hello>(body, HELLO_LEN_MAX);
    again::<Welcome>(body, HELLO_LEN_MAX);
    again::<Call>(body, FRAME_LEN_MAX);
    again::<Frame>(body, FRAME_LEN_MAX);
}

/// What was understood is said again in the same words.
fn again<T: Serialize + DeserializeOwned + PartialEq + Debug>(body: &[u8], max: usize) {
    let Ok(message) = decode::<T>(body) else { return };
    let Ok(frame) = encode(&message, max) else { return };
    let (head, said) = frame.split_first_chunk::<HEAD_LEN>().expect("a head");
    assert_eq!(body_len(*head, max).expect("within the limit"), said.len());
    assert_eq!(decode::<T>(said).expect("understood"), message);
}
