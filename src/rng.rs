//! The one source of randomness: a counter-based generator, one independent stream for each purpose. Dropout masks, of
//! which a training needs the most, come from a cheaper one that starts from a key of the first.
//!
//! torch's global generator is never touched, so a fit neither disturbs the user's random numbers nor depends on them.

use rand::{Rng as _, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What the numbers are for; streams of one seed don't overlap, so that adding a draw to one purpose changes no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Initial weights.
    Weights = 1,
    /// The order of the training windows.
    Shuffle = 2,
    /// Dropout masks.
    Dropout = 3,
    /// Augmentation of training windows.
    Augmentation = 4,
    /// Characters of a generated text.
    Sampling = 5,
    /// Which known features hinges are of.
    Hinges = 6,
}

/// A seeded `ChaCha8` stream.
#[derive(Debug, Clone)]
pub struct Rng(ChaCha8Rng);

impl Rng {
    /// The stream of `seed` for one purpose.
    pub fn new(seed: u64, purpose: Purpose) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(purpose as u64);
        Self(generator)
    }

    /// A key of which other generators make their numbers.
    pub fn key(seed: u64, purpose: Purpose) -> u64 {
        Self::new(seed, purpose).0.gen()
    }

    /// A number, uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0.gen()
    }

    /// `n` numbers, uniform in `[-bound, bound)`.
    pub fn uniform(&mut self, n: usize, bound: f64) -> Vec<f32> {
        #[allow(clippy::cast_possible_truncation)]
        (0..n).map(|_| ((self.0.gen::<f64>() * 2.0 - 1.0) * bound) as f32).collect()
    }
}

/// A random order of `n` things that takes no memory: what stands at any place of it can be computed alone.
///
/// A Feistel network (Luby & Rackoff 1988) permutes the numbers of as many bits as `n` needs; from one that is not below `n`
/// the way leads on until one is (Black & Rogaway 2002), after less than two steps on average where `n` is above 128.
#[derive(Debug, Clone, Copy)]
pub struct Permutation {
    n: u64,
    /// Bits of the two halves on which the rounds work in turn.
    bits: [u32; 2],
    keys: [u64; ROUNDS],
}

/// Even, so that the halves end where they began; more than the theory asks for, as the halves of small numbers are narrow.
const ROUNDS: usize = 8;
/// With halves of one or two bits, there are so few functions of them that some orders never come.
const LEAST_BITS: u32 = 8;

impl Permutation {
    /// The order of `n` things, at least one, in one epoch of the training with this seed.
    pub fn new(seed: u64, epoch: usize, n: usize) -> Self {
        let (key, n) = (mix(Rng::key(seed, Purpose::Shuffle), epoch as u64), n as u64);
        let bits = (u64::BITS - n.saturating_sub(1).leading_zeros()).max(LEAST_BITS);
        Self { n, bits: [bits / 2, bits - bits / 2], keys: std::array::from_fn(|round| mix(key, round as u64)) }
    }

    /// Which thing stands at `place`, below `n`.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // below n, which was a usize
    pub fn at(&self, place: usize) -> usize {
        let mut value = self.step(place as u64);
        while value >= self.n {
            value = self.step(value);
        }
        value as usize
    }

    fn step(&self, value: u64) -> u64 {
        let [mut high_bits, mut low_bits] = self.bits;
        let mut value = value;
        for &key in &self.keys {
            let (high, low) = (value >> low_bits, value & low_mask(low_bits));
            let changed = high ^ (mix(key, low) & low_mask(high_bits));
            (value, high_bits, low_bits) = (low << high_bits | changed, low_bits, high_bits);
        }
        value
    }
}

fn low_mask(bits: u32) -> u64 {
    (1 << bits) - 1
}

/// The dropout masks of one training: any element of any mask can be computed alone, in any order, as often as needed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropoutMasks {
    key: u64,
    p: f64,
}

impl DropoutMasks {
    /// The masks of `seed`, each element 0 with probability `p`, at least 0 and below 1.
    pub fn new(seed: u64, p: f64) -> Self {
        Self { key: Rng::key(seed, Purpose::Dropout), p }
    }

    /// The probability with which an element is 0.
    pub fn p(&self) -> f64 {
        self.p
    }

    /// The masks of one optimiser step, counted from 0.
    pub fn during(&self, step: u64) -> StepMasks {
        StepMasks { masks: *self, step, first_row: 0 }
    }

    /// The mask of an optimiser step and of the layer, both counted from 0, whose output it multiplies.
    pub fn at(&self, step: u64, layer: usize) -> DropoutMask {
        let least = f64::from(i32::MIN);
        #[allow(clippy::cast_possible_truncation)]
        DropoutMask {
            key: mix(mix(self.key, step), layer as u64),
            threshold: (least + (self.p * 2f64.powi(32)).round()) as i32,
            keep: (1.0 / (1.0 - self.p)) as f32,
        }
    }
}

/// The dropout masks of one optimiser step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepMasks {
    masks: DropoutMasks,
    step: u64,
    first_row: usize,
}

impl StepMasks {
    /// The probability with which an element is 0.
    pub fn p(&self) -> f64 {
        self.masks.p
    }

    /// For a part of a batch that begins at this row of it.
    pub fn from_row(self, first_row: usize) -> Self {
        Self { first_row, ..self }
    }

    /// The row of the batch at which a part of it begins.
    pub fn first_row(&self) -> usize {
        self.first_row
    }

    /// The mask of the layer, counted from 0, whose output it multiplies.
    pub fn layer(&self, layer: usize) -> DropoutMask {
        self.masks.at(self.step, layer)
    }
}

/// The dropout mask of one layer's output in one step: a function of the element's index in row-major order of
/// `(batch, steps, directions * hidden_size)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DropoutMask {
    key: u64,
    /// An element whose hash, as a signed number, is below this is dropped.
    threshold: i32,
    keep: f32,
}

impl DropoutMask {
    /// Elements `first..first + mask.len()`: 0 with probability `p`, else `1 / (1 - p)`, so that the mean stays 1.
    #[inline]
    pub fn fill(&self, first: u64, mask: &mut [f32]) {
        let (mut first, mut rest) = (first, mask);
        while !rest.is_empty() {
            // the hash takes 32 bits of an index; those above change the key
            let left = (1 << 32) - (first & 0xffff_ffff);
            let n = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
            let (block, after) = rest.split_at_mut(n);
            self.fill_block(first, block);
            (first, rest) = (first.wrapping_add(n as u64), after);
        }
    }

    /// Elements whose indices have the same high word.
    #[inline]
    #[allow(clippy::cast_possible_truncation)] // into words, on purpose
    fn fill_block(&self, first: u64, block: &mut [f32]) {
        let key = mix(self.key, first >> 32);
        let keys = [(key >> 32) as u32, key as u32];
        let first = first as u32;
        for (i, element) in block.iter_mut().enumerate() {
            // signed, because SSE2 compares no unsigned numbers
            let hash = hash(first.wrapping_add(i as u32), keys).cast_signed();
            *element = if hash < self.threshold { 0.0 } else { self.keep };
        }
    }
}

/// A 32-bit finaliser (lowbias32 by Chris Wellons) with a word of the key before each multiplication: with one word alone
/// two masks would be each other's permutation.
#[inline]
fn hash(index: u32, keys: [u32; 2]) -> u32 {
    let mut x = index ^ keys[0];
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = x.wrapping_add(keys[1]);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// A key and one more word make a new key (the finaliser of splitmix64).
pub fn mix(key: u64, word: u64) -> u64 {
    let mut x = key.wrapping_add(0x9e37_79b9_7f4a_7c15) ^ word;
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 1 << 20;

    #[test]
    fn same_seed_same_numbers_and_streams_differ() {
        let draw = |seed, purpose| Rng::new(seed, purpose).uniform(8, 1.0);
        assert_eq!(draw(7, Purpose::Weights), draw(7, Purpose::Weights));
        assert_ne!(draw(7, Purpose::Weights), draw(8, Purpose::Weights));
        assert_ne!(draw(7, Purpose::Weights), draw(7, Purpose::Dropout));
    }

    fn elements(mask: DropoutMask, first: u64, n: usize) -> Vec<f32> {
        let mut elements = vec![f32::NAN; n];
        mask.fill(first, &mut elements);
        elements
    }

    /// The correlation of two masks of probability `p`, in its standard errors: for independent elements the mean of
    /// `(a - 1)(b - 1)` is 0 with the standard deviation `p / (1 - p) / sqrt(n)`, as each factor has the variance `p / (1 - p)`.
    fn correlation(a: &[f32], b: &[f32], p: f64) -> f64 {
        let sum: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - 1.0) * f64::from(b - 1.0)).sum();
        sum / (a.len().min(b.len()) as f64).sqrt() * (1.0 - p) / p
    }

    /// Each test below looks at less than 1000 such numbers, always the same: were they drawn anew, all of them together
    /// would leave five standard errors with a probability of 6e-4.
    const MOST: f64 = 5.0;

    #[test]
    fn a_share_p_of_a_mask_is_dropped_and_its_mean_stays_one() {
        for (seed, p) in [0.0, 0.01, 0.1, 0.3, 0.5, 0.9].into_iter().enumerate() {
            let mask = elements(DropoutMasks::new(seed as u64, p).at(0, 0), 0, N);
            #[allow(clippy::cast_possible_truncation)]
            let keep = (1.0 / (1.0 - p)) as f32;
            assert!(mask.iter().all(|&m| m == 0.0 || m == keep));
            let (n, dropped) = (N as f64, mask.iter().filter(|&&m| m == 0.0).count() as f64);
            // binomial: n p with the standard deviation sqrt(n p (1 - p)); an element takes two values, so that mean and
            // variance are functions of this count
            let error = (dropped - n * p).abs();
            assert!(error <= MOST * (n * p * (1.0 - p)).sqrt(), "p {p}: {dropped} of {n}");
        }
    }

    #[test]
    fn pieces_of_a_mask_have_the_variance_of_independent_elements() {
        // the counts of n / m pieces of m elements: their variance over m p (1 - p) is a chi-squared of n / m degrees of
        // freedom over n / m, which has the standard deviation sqrt(2 m / n)
        let p = 0.3;
        let mask = elements(DropoutMasks::new(1, p).at(0, 0), 0, N);
        for m in [16, 64, 256, 1024, 4096] {
            let expected = m as f64 * p;
            let squared = |piece: &[f32]| (piece.iter().filter(|&&e| e == 0.0).count() as f64 - expected).powi(2);
            let ratio = mask.chunks(m).map(squared).sum::<f64>() / (N as f64 * p * (1.0 - p));
            // a binomial of few elements has a fourth moment a little off the normal one: below 1 % of this for m = 16
            assert!((ratio - 1.0).abs() < MOST * (2.0 * m as f64 / N as f64).sqrt(), "pieces of {m}: {ratio}");
        }
    }

    #[test]
    fn elements_don_t_depend_on_those_before() {
        let p = 0.5;
        let mask = elements(DropoutMasks::new(2, p).at(0, 0), 0, N);
        let powers = (7..20).map(|power| 1 << power);
        for lag in (1..=128).chain(powers) {
            let found = correlation(&mask, &mask[lag..], p);
            assert!(found.abs() < MOST, "lag {lag}: {found} standard errors");
        }
    }

    #[test]
    fn masks_of_neighbours_are_independent() {
        let p = 0.3;
        let mask = |seed, step, layer| elements(DropoutMasks::new(seed, p).at(step, layer), 0, 1 << 16);
        let keys: Vec<_> = (0..3).flat_map(|a| (0..3).flat_map(move |b| (0..3).map(move |c| (a, b, c)))).collect();
        let masks: Vec<_> = keys.iter().map(|&(seed, step, layer)| mask(seed, step, layer)).collect();
        for (i, a) in masks.iter().enumerate() {
            for (j, b) in masks[..i].iter().enumerate() {
                for lag in 0..2 {
                    let found = correlation(a, &b[lag..], p);
                    assert!(found.abs() < MOST, "{:?} and {:?}, lag {lag}: {found} standard errors", keys[i], keys[j]);
                }
            }
        }
    }

    #[test]
    fn any_part_of_a_mask_can_be_computed_alone() {
        let mask = DropoutMasks::new(3, 0.4).at(5, 1);
        // the second start lies before the end of the indices' low word
        for start in [0, (1 << 32) - 100, 3 << 32] {
            let all = elements(mask, start, 1000);
            for (from, to) in [(0, 1000), (1, 2), (17, 400), (99, 101), (100, 100), (999, 1000)] {
                assert_eq!(elements(mask, start + from as u64, to - from), all[from..to]);
            }
        }
    }

    #[test]
    fn the_high_word_of_an_index_counts() {
        let (p, n) = (0.5, 1 << 16);
        let mask = DropoutMasks::new(4, p).at(0, 0);
        let found = correlation(&elements(mask, 0, n), &elements(mask, 1 << 32, n), p);
        assert!(found.abs() < MOST, "{found} standard errors");
    }

    #[test]
    fn the_masks_of_a_step_are_those_of_the_training() {
        let masks = DropoutMasks::new(5, 0.25);
        assert_eq!(masks.during(7).layer(2), masks.at(7, 2));
        assert_eq!((masks.p(), masks.during(7).p()), (0.25, 0.25));
    }

    #[test]
    fn an_order_holds_each_thing_once() {
        for n in (1..70).chain([255, 256, 257, 1000, 4097]) {
            let order = Permutation::new(6, 1, n);
            let mut things: Vec<usize> = (0..n).map(|place| order.at(place)).collect();
            things.sort_unstable();
            assert!(things.into_iter().eq(0..n), "{n}");
        }
    }

    #[test]
    fn each_thing_stands_everywhere_equally_often_and_orders_of_epochs_are_independent() {
        // counts of epochs in which thing a stands at place b, and thing c at the next: chi-squared over all cells, which has
        // about as many degrees of freedom and the standard deviation sqrt(2 * cells)
        const EPOCHS: usize = 4000;
        for n in [4usize, 5, 8, 11, 16, 29, 64] {
            let (mut places, mut pairs) = (vec![0f64; n * n], vec![0f64; n * n]);
            for epoch in 0..EPOCHS {
                let order = Permutation::new(7, epoch, n);
                for place in 0..n {
                    let thing = order.at(place);
                    places[place * n + thing] += 1.0;
                    pairs[thing * n + order.at((place + 1) % n)] += 1.0;
                }
            }
            let chi_squared = |counts: &[f64], cells: usize| {
                let expected = (EPOCHS * n) as f64 / cells as f64;
                counts
                    .iter()
                    .filter(|&&count| count > 0.0)
                    .map(|count| (count - expected).powi(2) / expected)
                    .sum::<f64>()
            };
            for (counts, cells) in [(&places, n * n), (&pairs, n * (n - 1))] {
                let (found, freedom) = (chi_squared(counts, cells), cells as f64);
                // rows and columns have fixed sums, which takes away up to 2 n of the degrees
                let margin = MOST * (2.0 * freedom).sqrt() + 2.0 * n as f64;
                assert!((found - freedom).abs() < margin, "{n}: {found} of {cells}");
            }
        }
    }

    #[test]
    fn an_order_of_a_billion_takes_no_memory() {
        let order = Permutation::new(8, 0, 1_000_000_007);
        let things: std::collections::HashSet<usize> = (0..100_000).map(|place| order.at(place)).collect();
        assert_eq!(things.len(), 100_000);
        assert!(things.iter().all(|&thing| thing < 1_000_000_007));
    }

    #[test]
    fn masks_stay_what_they_were() {
        // from this implementation: a change would silently train other networks from the same seed
        let drawn = elements(DropoutMasks::new(0, 0.5).at(1, 0), 0, 16);
        let kept: String = drawn.iter().map(|&m| if m == 0.0 { '.' } else { 'x' }).collect();
        assert_eq!(kept, "x..x.xxxxx..x...");
    }
}
