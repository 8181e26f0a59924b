//! Sums of outer products in double precision, of vectors of eight: what products of matrices, and their factors, are made of.

/// Numbers in a vector, and rows and columns of a block.
pub(crate) const BLOCK: usize = 8;

/// `out[a][b] += sum over k of left[k][a] * right[k][b]`. Each sum goes in the order of `k`, and no product is fused with an
/// addition: the bits are the same with all instructions.
#[inline(always)]
pub(super) fn outer<const AT_ONCE: usize>(left: &[f64], right: &[f64], out: &mut [f64]) {
    let (left, right) = (left.as_chunks::<BLOCK>().0, right.as_chunks::<BLOCK>().0);
    assert!(left.len() == right.len() && out.len() == BLOCK * BLOCK && BLOCK.is_multiple_of(AT_ONCE));
    for (part, out) in out.chunks_exact_mut(AT_ONCE * BLOCK).enumerate() {
        let mut sums = [[0.0; BLOCK]; AT_ONCE];
        for (sums, out) in sums.iter_mut().zip(out.chunks_exact(BLOCK)) {
            sums.copy_from_slice(out);
        }
        for (left, right) in left.iter().zip(right) {
            for a in 0..AT_ONCE {
                for b in 0..BLOCK {
                    sums[a][b] += left[part * AT_ONCE + a] * right[b];
                }
            }
        }
        out.copy_from_slice(sums.as_flattened());
    }
}
