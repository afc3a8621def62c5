//! Proved, then named, then looked at once more.

use super::*;

/// While what is read back is wrong, nothing gets a real name and no bad temp file stays; afterwards the
/// file gets the name that it was to have.
#[tokio::test]
async fn nothing_gets_its_name_before_it_was_read_back() {
    for lie in [ReadFault::FlippedByte, ReadFault::ShortByOne, ReadFault::CannotRead] {
        let (folder, memory) = folder(|rules| rules.lie = Some(lie)).await;
        let source = source(KEY, 1000);
        for _try in 0..3 {
            let failure = folder.send(&source.item, &transfer()).await.expect_err("it reads otherwise");
            assert_eq!(kind_and_reach(&failure), (FailureKind::DigestMismatch, Reach::Resource), "{lie:?}");
            assert_eq!(memory.files(), [MARKER]);
        }
        memory.rules(|rules| rules.lie = None);
        let sent = folder.send(&source.item, &transfer()).await;
        let Ok(Sent::Stored { evidence: Some(Evidence::Verified { method, .. }), .. }) = sent else {
            panic!("{sent:?}")
        };
        assert_eq!(method, ProofMethod::DirectRead);
        assert_eq!(memory.contents(KEY), Some(source.bytes));
        // The marker is checked when it is read.
        assert_eq!(memory.named_unread(), ["destination.json"]);
    }
}
