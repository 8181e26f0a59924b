//! What the processor can multiply and add at most, in single precision and in bfloat16: `cargo bench --bench multiply`.
//!
//! The measure of the kernel, and the reason why it has no bfloat16.
#![allow(missing_docs)] // of the function that criterion's macro writes

use criterion::{criterion_group, criterion_main, Criterion};

/// Instructions in a row: more than their latency times what a processor starts in a cycle.
#[cfg(target_arch = "x86_64")]
const CHAINS: usize = 16;

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m512, __m512bh, _mm512_add_ps, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps,
        _mm512_setzero_ps,
    };
    use std::hint::black_box;

    /// Sixteen sums, by name, so that each has a register; `$term` is added to each of them `n` times.
    macro_rules! chains {
        ($name:ident, $features:literal, |$sum:ident, $a:ident, $b:ident| $term:expr) => {
            #[target_feature(enable = $features)]
            pub(super) fn $name(n: usize) -> f32 {
                chains!(@sums n, |$sum, $a, $b| $term,
                    s0 s1 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 s12 s13 s14 s15)
            }
        };
        (@sums $n:ident, |$sum:ident, $a:ident, $b:ident| $term:expr, $($s:ident)*) => {{
            let ($a, $b) = (black_box(_mm512_set1_ps(1.0)), black_box(_mm512_set1_ps(1e-3)));
            $(let mut $s = _mm512_setzero_ps();)*
            for _ in 0..$n {
                $(let $sum = $s; $s = $term;)*
            }
            let mut total = _mm512_setzero_ps();
            $(total = _mm512_add_ps(total, $s);)*
            _mm512_reduce_add_ps(total)
        }};
    }

    chains!(single, "avx512f", |sum, a, b| _mm512_fmadd_ps(a, b, sum));
    // SAFETY: both types are 512 bits that may hold anything.
    chains!(bfloat16, "avx512f,avx512bf16", |sum, a, b| _mm512_dpbf16_ps(
        sum,
        unsafe { std::mem::transmute::<__m512, __m512bh>(a) },
        unsafe { std::mem::transmute::<__m512, __m512bh>(b) }
    ));
}

#[cfg(target_arch = "x86_64")]
fn multiply(c: &mut Criterion) {
    use criterion::Throughput;

    const TIMES: usize = 10_000;
    let mut group = c.benchmark_group("multiply and add");
    if is_x86_feature_detected!("avx512f") {
        group.throughput(Throughput::Elements((TIMES * CHAINS * 16) as u64));
        // SAFETY: the processor has these instructions, here and below.
        group.bench_function("single precision", |b| b.iter(|| unsafe { x86::single(TIMES) }));
    }
    if is_x86_feature_detected!("avx512bf16") {
        group.throughput(Throughput::Elements((TIMES * CHAINS * 32) as u64));
        group.bench_function("bfloat16", |b| b.iter(|| unsafe { x86::bfloat16(TIMES) }));
    }
    group.finish();
}

#[cfg(not(target_arch = "x86_64"))]
fn multiply(_: &mut Criterion) {}

criterion_group!(benches, multiply);
criterion_main!(benches);
