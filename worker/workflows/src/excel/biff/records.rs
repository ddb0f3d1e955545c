//! The stream as records: a type, a length, data, and the records that continue it.

/// Begins a part of the stream.
pub(super) const BOF: u16 = 0x0809;
/// Ends it.
pub(super) const EOF: u16 = 0x000A;
const CONTINUE: u16 = 0x003C;

/// One record.
#[derive(Debug)]
pub(super) struct Record<'s> {
    pub(super) kind: u16,
    pub(super) data: &'s [u8],
    /// The data of the records that continue it.
    pub(super) rest: Vec<&'s [u8]>,
}

/// A record that runs over the end of the stream.
#[derive(Debug)]
pub(super) struct CutOff;

/// All records from here to the end of the stream.
pub(super) struct Records<'s> {
    stream: &'s [u8],
    failed: bool,
}

impl<'s> Records<'s> {
    pub(super) fn new(stream: &'s [u8]) -> Self {
        Self {
            stream,
            failed: false,
        }
    }

    fn one(&mut self) -> Option<(u16, &'s [u8])> {
        let kind = super::half(self.stream, 0)?;
        let length = usize::from(super::half(self.stream, 2)?);
        let data = self.stream.get(4..4 + length)?;
        self.stream = &self.stream[4 + length..];
        Some((kind, data))
    }
}

impl<'s> Iterator for Records<'s> {
    type Item = Result<Record<'s>, CutOff>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stream.is_empty() || self.failed {
            return None;
        }
        let Some((kind, data)) = self.one() else {
            self.failed = true;
            return Some(Err(CutOff));
        };
        let mut rest = Vec::new();
        while super::half(self.stream, 0) == Some(CONTINUE) {
            let Some((_, more)) = self.one() else { break };
            rest.push(more);
        }
        Some(Ok(Record { kind, data, rest }))
    }
}
