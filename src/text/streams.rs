//! Texts as parallel streams of sequences: what is read at once, row by row, and where states are carried on.

/// A sequence of one row: characters that are read, from each of which the next is to be predicted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sequence {
    /// The first of them among all symbols.
    pub start: usize,
    /// How many there are: 0 of a row that has come to its end.
    pub len: usize,
    /// Whether they begin from a state of zero, and don't go on from the sequence before.
    pub fresh: bool,
    /// Whether they only warm the state up for the next sequence, and aren't counted.
    pub warms_up: bool,
}

/// Rows of sequences, all read at the same time, one sequence of each in a step.
#[derive(Debug, Clone)]
pub struct Streams {
    symbols: Vec<u32>,
    /// `(rows, steps)`.
    sequences: Vec<Sequence>,
    n_rows: usize,
    n_steps: usize,
    sequence_length: usize,
}

impl Streams {
    /// For training: documents cut into sequences of `sequence_length`, a document's first of which is fresh, and these, one
    /// after the other, into at most `n_rows` rows of the same number of steps.
    pub fn for_training(documents: &[Vec<u32>], sequence_length: usize, n_rows: usize) -> Self {
        let mut first = 0;
        let mut sequences = Vec::new();
        for document in documents {
            sequences.extend(cut(first, document.len(), sequence_length));
            first += document.len();
        }
        let n_rows = n_rows.min(sequences.len()).max(1);
        let n_steps = sequences.len().div_ceil(n_rows);
        sequences.resize(n_rows * n_steps, Sequence::default());
        sequences.iter_mut().step_by(n_steps.max(1)).for_each(|sequence| sequence.fresh = true);
        Self { symbols: documents.concat(), sequences, n_rows, n_steps, sequence_length }
    }

    /// For a score: documents, each by itself and to its end. One of more than `part` characters is cut into parts that are
    /// read side by side, each after as many sequences of those before it as `warm_up` says.
    pub fn for_scoring(
        documents: &[Vec<u32>],
        sequence_length: usize,
        n_rows: usize,
        (part, warm_up): (usize, usize),
    ) -> Self {
        let part = (part / sequence_length).max(1);
        let mut first = 0;
        let mut parts: Vec<Vec<Sequence>> = Vec::new();
        for document in documents {
            let whole: Vec<Sequence> = cut(first, document.len(), sequence_length).collect();
            for start in (0..whole.len()).step_by(part) {
                let warm = start.min(warm_up);
                let mut sequences = whole[start - warm..whole.len().min(start + part)].to_vec();
                sequences[..warm].iter_mut().for_each(|sequence| sequence.warms_up = true);
                sequences[0].fresh = true;
                parts.push(sequences);
            }
            first += document.len();
        }
        let rows = share_out(parts, n_rows);
        let n_steps = rows.iter().map(Vec::len).max().unwrap_or(0);
        let n_rows = rows.len();
        let padded = rows.into_iter().flat_map(|mut row| {
            row.resize(n_steps, Sequence::default());
            row
        });
        Self { symbols: documents.concat(), sequences: padded.collect(), n_rows, n_steps, sequence_length }
    }

    /// Rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Sequences of each row.
    pub fn n_steps(&self) -> usize {
        self.n_steps
    }

    /// The most characters that a sequence has.
    pub fn sequence_length(&self) -> usize {
        self.sequence_length
    }

    /// What a row reads in a step.
    pub fn sequence(&self, row: usize, step: usize) -> Sequence {
        self.sequences[row * self.n_steps + step]
    }

    /// The symbols that a sequence reads.
    pub fn inputs(&self, sequence: Sequence) -> &[u32] {
        &self.symbols[sequence.start..sequence.start + sequence.len]
    }

    /// The symbols to predict, those that follow each of its inputs; none where it isn't counted.
    pub fn targets(&self, sequence: Sequence) -> &[u32] {
        let len = if sequence.warms_up { 0 } else { sequence.len };
        &self.symbols[sequence.start + usize::from(len > 0)..][..len]
    }

    /// Symbols that are predicted in a step, over all rows.
    pub fn n_targets(&self, step: usize) -> usize {
        (0..self.n_rows).map(|row| self.targets(self.sequence(row, step)).len()).sum()
    }
}

/// A document of `len` symbols from `first` on as sequences that follow one another; the last of its symbols isn't read.
fn cut(first: usize, len: usize, sequence_length: usize) -> impl Iterator<Item = Sequence> {
    let end = first + len.saturating_sub(1);
    (first..end).step_by(sequence_length).map(move |start| Sequence {
        start,
        len: sequence_length.min(end - start),
        fresh: start == first,
        warms_up: false,
    })
}

/// Deals parts to at most `n_rows` rows, the longest first, each to the row that has the least.
fn share_out(mut parts: Vec<Vec<Sequence>>, n_rows: usize) -> Vec<Vec<Sequence>> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
    let mut rows: Vec<Vec<Sequence>> = vec![Vec::new(); n_rows.min(parts.len())];
    for part in parts {
        if let Some(row) = rows.iter_mut().min_by_key(|row| row.len()) {
            row.extend(part);
        }
    }
    rows
}

#[cfg(test)]
#[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap)] // sizes are small here
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Symbols that tell their document and place in it.
    fn documents(lengths: &[usize]) -> Vec<Vec<u32>> {
        lengths.iter().zip(0u32..).map(|(&len, at)| (0..len as u32).map(|i| at * 1000 + i).collect()).collect()
    }

    /// Pairs of an input and its target, and states that go on, checked on the way.
    fn told(streams: &Streams) -> Vec<(u32, u32)> {
        let mut pairs = Vec::new();
        for row in 0..streams.n_rows() {
            let mut last = None;
            for sequence in (0..streams.n_steps()).map(|step| streams.sequence(row, step)) {
                let (inputs, targets) = (streams.inputs(sequence), streams.targets(sequence));
                assert!(inputs.len() <= streams.sequence_length());
                if !sequence.fresh && !inputs.is_empty() {
                    assert_eq!(last.map(|last| last + 1), Some(inputs[0]));
                }
                pairs.extend(inputs.iter().copied().zip(targets.iter().copied()));
                last = inputs.last().copied().or(last);
            }
        }
        pairs.sort_unstable();
        pairs
    }

    fn expected(documents: &[Vec<u32>]) -> Vec<(u32, u32)> {
        documents.iter().flat_map(|document| document.windows(2).map(|pair| (pair[0], pair[1]))).collect()
    }

    proptest! {
        #[test]
        fn every_character_but_the_first_of_a_document_is_told_once(
            lengths in prop::collection::vec(0usize..60, 1..6),
            (sequence_length, n_rows) in (1usize..12, 1usize..9),
            (part, warm_up) in (1usize..40, 0usize..4),
        ) {
            let documents = documents(&lengths);
            for streams in [
                Streams::for_training(&documents, sequence_length, n_rows),
                Streams::for_scoring(&documents, sequence_length, n_rows, (part, warm_up)),
            ] {
                prop_assert_eq!(told(&streams), expected(&documents));
                prop_assert!(streams.n_rows() <= n_rows);
                let n: usize = (0..streams.n_steps()).map(|step| streams.n_targets(step)).sum();
                prop_assert_eq!(n, expected(&documents).len());
            }
        }
    }

    #[test]
    fn a_text_is_cut_into_rows_of_equal_length() {
        let streams = Streams::for_training(&documents(&[41]), 5, 3);
        assert_eq!((streams.n_rows(), streams.n_steps()), (3, 3));
        let starts: Vec<_> = (0..3).map(|row| streams.sequence(row, 0)).map(|s| (s.start, s.fresh)).collect();
        assert_eq!(starts, [(0, true), (15, true), (30, true)]);
        assert_eq!(streams.sequence(2, 2), Sequence { fresh: false, ..Sequence::default() });
        assert_eq!((streams.n_targets(0), streams.n_targets(2)), (15, 10));
    }

    #[test]
    fn parts_warm_up_on_what_comes_before_them() {
        let streams = Streams::for_scoring(&documents(&[31]), 5, 2, (15, 2));
        let sequence = |step| streams.sequence(1, step);
        let found: Vec<_> = (0..5).map(|step| (sequence(step).start, sequence(step).warms_up)).collect();
        // the second part is the longer one, as it is warmed up, and so it is dealt first
        let first: Vec<_> = (0..5).map(|step| streams.sequence(0, step)).map(|s| (s.start, s.warms_up)).collect();
        assert_eq!(first, [(5, true), (10, true), (15, false), (20, false), (25, false)]);
        assert_eq!(found, [(0, false), (5, false), (10, false), (0, false), (0, false)]);
    }
}
