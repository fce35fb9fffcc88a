//! Registers of numbers, for whatever instruction set the processor has.
//!
//! [`Machine::launch`] runs a [`Sweep`] compiled for AVX-512, AVX2, NEON or, failing these, for
//! what every processor of the family has. All that a sweep calls in its loops must be
//! `#[inline(always)]`, so that it becomes part of that compilation.

use num_traits::Float;
use pulp::Simd;
use std::ops::{Add, AddAssign, Mul, Neg, Sub};

/// An instruction set, with the exchanges of lanes that pulp leaves out.
pub trait Isa: Simd {
    /// Lane `l` receives lane `l ^ X`.
    fn exchange_f32s<const X: usize>(self, v: Self::f32s) -> Self::f32s;
    /// See [`exchange_f32s`](Self::exchange_f32s).
    fn exchange_f64s<const X: usize>(self, v: Self::f64s) -> Self::f64s;
    /// Lane `l` receives lane `index[l] ^ flip` of `a` followed by `b`.
    fn permute_f32s(self, a: Self::f32s, b: Self::f32s, index: &Index, flip: u32) -> Self::f32s;
    /// See [`permute_f32s`](Self::permute_f32s).
    fn permute_f64s(self, a: Self::f64s, b: Self::f64s, index: &Index, flip: u32) -> Self::f64s;
    /// `2^k` of whole numbers `k`, given as `magic + k`, whose lowest bits they are (see [`round`]).
    fn power_of_two_f32s(self, shifted: Self::f32s) -> Self::f32s;
    /// See [`power_of_two_f32s`](Self::power_of_two_f32s).
    fn power_of_two_f64s(self, shifted: Self::f64s) -> Self::f64s;
}

/// The largest number of lanes.
pub const MAX_LANES: usize = 16;

/// For each lane, the lane that it takes: the first `lanes` count registers `a`, the next `b`.
pub type Index = [u32; MAX_LANES];

macro_rules! xor_by_arrays {
    ($f32:literal $f64:literal) => {
        #[inline(always)]
        fn exchange_f32s<const X: usize>(self, v: Self::f32s) -> Self::f32s {
            let v: [f32; $f32] = pulp::cast(v);
            pulp::cast(std::array::from_fn::<f32, $f32, _>(|l| v[l ^ X & ($f32 - 1)]))
        }

        #[inline(always)]
        fn exchange_f64s<const X: usize>(self, v: Self::f64s) -> Self::f64s {
            let v: [f64; $f64] = pulp::cast(v);
            pulp::cast(std::array::from_fn::<f64, $f64, _>(|l| v[l ^ X & ($f64 - 1)]))
        }

        #[inline(always)]
        fn power_of_two_f32s(self, shifted: Self::f32s) -> Self::f32s {
            let bits: [u32; $f32] = pulp::cast(shifted);
            pulp::cast(bits.map(|bits| (bits << 23).wrapping_add(1f32.to_bits())))
        }

        #[inline(always)]
        fn power_of_two_f64s(self, shifted: Self::f64s) -> Self::f64s {
            let bits: [u64; $f64] = pulp::cast(shifted);
            pulp::cast(bits.map(|bits| (bits << 52).wrapping_add(1f64.to_bits())))
        }
    };
}

macro_rules! permute_by_arrays {
    ($($permute:ident $reg:ident $float:ident $lanes:literal;)*) => {$(
        #[inline(always)]
        fn $permute(
            self,
            a: Self::$reg,
            b: Self::$reg,
            index: &Index,
            flip: u32,
        ) -> Self::$reg {
            let both: [[$float; $lanes]; 2] = [pulp::cast(a), pulp::cast(b)];
            let take = |l: usize| {
                let from = (index[l] ^ flip) as usize;
                both[from / $lanes % 2][from % $lanes]
            };
            pulp::cast(std::array::from_fn::<$float, $lanes, _>(take))
        }
    )*};
}

#[cfg(target_arch = "x86_64")]
impl Isa for pulp::x86::V4 {
    xor_by_arrays!(16 8);

    #[inline(always)]
    fn permute_f32s(self, a: Self::f32s, b: Self::f32s, index: &Index, flip: u32) -> Self::f32s {
        let index = self.xor_u32s(pulp::cast(*index), self.splat_u32s(flip));
        let simd = self.avx512f;
        pulp::cast(simd._mm512_permutex2var_ps(pulp::cast(a), pulp::cast(index), pulp::cast(b)))
    }

    #[inline(always)]
    fn permute_f64s(self, a: Self::f64s, b: Self::f64s, index: &Index, flip: u32) -> Self::f64s {
        let index: [u64; 8] = std::array::from_fn(|l| (index[l] ^ flip).into());
        let simd = self.avx512f;
        pulp::cast(simd._mm512_permutex2var_pd(pulp::cast(a), pulp::cast(index), pulp::cast(b)))
    }
}

#[cfg(target_arch = "x86_64")]
impl Isa for pulp::x86::V3 {
    xor_by_arrays!(8 4);
    permute_by_arrays!(permute_f32s f32s f32 8; permute_f64s f64s f64 4;);
}

#[cfg(target_arch = "aarch64")]
impl Isa for pulp::aarch64::Neon {
    xor_by_arrays!(4 2);
    permute_by_arrays!(permute_f32s f32s f32 4; permute_f64s f64s f64 2;);
}

impl Isa for pulp::Scalar128b {
    xor_by_arrays!(4 2);
    permute_by_arrays!(permute_f32s f32s f32 4; permute_f64s f64s f64 2;);
}

/// A number that comes in registers.
pub trait Element: Float + Send + Sync + std::fmt::Debug + 'static {
    /// A register of such numbers.
    type Register<S: Isa>: Copy;
    #[doc(hidden)]
    fn splat_lanes<S: Isa>(s: S, x: Self) -> Self::Register<S>;
    #[doc(hidden)]
    fn add_lanes<S: Isa>(s: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn sub_lanes<S: Isa>(s: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn mul_lanes<S: Isa>(s: S, a: Self::Register<S>, b: Self::Register<S>) -> Self::Register<S>;
    /// `a b + c`, in one rounding where the processor can.
    #[doc(hidden)]
    fn mul_add_lanes<S: Isa>(
        s: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    /// `c - a b`, likewise.
    #[doc(hidden)]
    fn neg_mul_add_lanes<S: Isa>(
        s: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        c: Self::Register<S>,
    ) -> Self::Register<S>;
    #[doc(hidden)]
    fn neg_lanes<S: Isa>(s: S, a: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn xor_lanes<S: Isa, const X: usize>(s: S, a: Self::Register<S>) -> Self::Register<S>;
    #[doc(hidden)]
    fn permute_lanes<S: Isa>(
        s: S,
        a: Self::Register<S>,
        b: Self::Register<S>,
        index: &Index,
        flip: u32,
    ) -> Self::Register<S>;
    #[doc(hidden)]
    fn sin_cos_lanes<S: Isa>(x: Lanes<Self, S>) -> (Lanes<Self, S>, Lanes<Self, S>);
    #[doc(hidden)]
    fn sigmoid_lanes<S: Isa>(x: Lanes<Self, S>) -> Lanes<Self, S>;
}

macro_rules! impl_element {
    ($float:ident $reg:ident $splat:ident $add:ident $sub:ident $mul:ident $mul_add:ident
     $neg_mul_add:ident $neg:ident $xor:ident $permute:ident $less:ident $select:ident
     $xor_mask:ident $min:ident $max:ident $div:ident $power_of_two:ident
     $magic:expr, $pi:expr, $sin:expr, $cos:expr, $ln2:expr, $exp:expr, $limit:expr) => {
        impl Element for $float {
            type Register<S: Isa> = S::$reg;

            #[inline(always)]
            fn splat_lanes<S: Isa>(s: S, x: Self) -> S::$reg {
                s.$splat(x)
            }

            #[inline(always)]
            fn add_lanes<S: Isa>(s: S, a: S::$reg, b: S::$reg) -> S::$reg {
                s.$add(a, b)
            }

            #[inline(always)]
            fn sub_lanes<S: Isa>(s: S, a: S::$reg, b: S::$reg) -> S::$reg {
                s.$sub(a, b)
            }

            #[inline(always)]
            fn mul_lanes<S: Isa>(s: S, a: S::$reg, b: S::$reg) -> S::$reg {
                s.$mul(a, b)
            }

            #[inline(always)]
            fn mul_add_lanes<S: Isa>(s: S, a: S::$reg, b: S::$reg, c: S::$reg) -> S::$reg {
                s.$mul_add(a, b, c)
            }

            #[inline(always)]
            fn neg_mul_add_lanes<S: Isa>(s: S, a: S::$reg, b: S::$reg, c: S::$reg) -> S::$reg {
                s.$neg_mul_add(a, b, c)
            }

            #[inline(always)]
            fn neg_lanes<S: Isa>(s: S, a: S::$reg) -> S::$reg {
                s.$neg(a)
            }

            #[inline(always)]
            fn xor_lanes<S: Isa, const X: usize>(s: S, a: S::$reg) -> S::$reg {
                s.$xor::<X>(a)
            }

            #[inline(always)]
            fn permute_lanes<S: Isa>(
                s: S,
                a: S::$reg,
                b: S::$reg,
                index: &Index,
                flip: u32,
            ) -> S::$reg {
                s.$permute(a, b, index, flip)
            }

            // x = k pi/2 + r with |r| <= pi/4 (Cody and Waite, three parts of pi/2), then Cephes'
            // polynomials. Adding `magic` rounds to an integer. A quarter of k, plus 1/8, has the
            // fraction 1/8, 3/8, -3/8 or -1/8: it tells the quadrant.
            #[inline(always)]
            fn sin_cos_lanes<S: Isa>(x: Lanes<Self, S>) -> (Lanes<Self, S>, Lanes<Self, S>) {
                let s = x.s;
                let k = round(x * Lanes::splat(s, std::$float::consts::FRAC_2_PI), $magic);
                let [p0, p1, p2] = $pi;
                let r = k.neg_mul_add(Lanes::splat(s, p0), x);
                let r = k.neg_mul_add(Lanes::splat(s, p1), r);
                let r = k.neg_mul_add(Lanes::splat(s, p2), r);
                let (u, one) = (r * r, Lanes::splat(s, 1.0));
                let sin = (r * u).mul_add(polynomial(u, $sin), r);
                let rest = u.neg_mul_add(Lanes::splat(s, 0.5), one);
                let cos = (u * u).mul_add(polynomial(u, $cos), rest);
                let quarter = k.mul_add(Lanes::splat(s, 0.25), Lanes::splat(s, 0.125));
                let part = quarter - round(quarter, $magic);
                let minus_sin = s.$less(part.v, Lanes::<$float, S>::zero(s).v);
                let minus_cos = s.$less(Lanes::<$float, S>::splat(s, 0.0625).v, (part * part).v);
                let swap = s.$xor_mask(minus_sin, minus_cos);
                let a = Lanes::<$float, S> { v: s.$select(swap, cos.v, sin.v), s };
                let b = Lanes::<$float, S> { v: s.$select(swap, sin.v, cos.v), s };
                let sin = s.$select(minus_sin, (-a).v, a.v);
                let cos = s.$select(minus_cos, (-b).v, b.v);
                (Lanes { v: sin, s }, Lanes { v: cos, s })
            }

            // exp(-x) = 2^k exp(r) with |r| <= ln(2)/2 (two parts of ln 2), then Taylor. Where it
            // would leave the range of normal numbers, the result is 0, or rounds to 1.
            #[inline(always)]
            fn sigmoid_lanes<S: Isa>(x: Lanes<Self, S>) -> Lanes<Self, S> {
                let s = x.s;
                let limit = Lanes::<$float, S>::splat(s, $limit);
                let magic = Lanes::<$float, S>::splat(s, $magic);
                let y = s.$max(s.$min((-x).v, limit.v), (-limit).v);
                let y = Lanes::<$float, S> { v: y, s };
                let shifted = y.mul_add(Lanes::splat(s, std::$float::consts::LOG2_E), magic);
                let k = shifted - magic;
                let [l0, l1] = $ln2;
                let r = k.neg_mul_add(Lanes::splat(s, l0), y);
                let r = k.neg_mul_add(Lanes::splat(s, l1), r);
                let power = Lanes::<$float, S> { v: s.$power_of_two(shifted.v), s };
                let one = Lanes::<$float, S>::splat(s, 1.0);
                let value = s.$div(one.v, polynomial(r, $exp).mul_add(power, one).v);
                let below = s.$less(x.v, (-limit).v);
                Lanes { v: s.$select(below, Lanes::<$float, S>::zero(s).v, value), s }
            }
        }
    };
}

/// The nearest integers, while they are far below `magic`.
#[inline(always)]
fn round<T: Element, S: Isa>(x: Lanes<T, S>, magic: T) -> Lanes<T, S> {
    let magic = Lanes::splat(x.s, magic);
    (x + magic) - magic
}

/// Coefficients from the highest power to the lowest.
#[inline(always)]
fn polynomial<T: Element, S: Isa, const N: usize>(x: Lanes<T, S>, c: [T; N]) -> Lanes<T, S> {
    let mut sum = Lanes::splat(x.s, c[0]);
    for &c in &c[1..] {
        sum = sum.mul_add(x, Lanes::splat(x.s, c));
    }
    sum
}

#[allow(clippy::excessive_precision)] // Cephes, as published
mod coefficients {
    pub const PI_F32: [f32; 3] = [1.5703125, 4.837512969970703e-4, 7.549789948768648e-8];
    pub const SIN_F32: [f32; 3] = [-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1];
    pub const COS_F32: [f32; 3] =
        [2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2];
    pub const PI_F64: [f64; 3] =
        [1.570796251296997070312, 7.549789415861596353352e-8, 5.390302858158134e-15];
    pub const SIN_F64: [f64; 6] = [
        1.58962301576546568060e-10,
        -2.50507477628578072866e-8,
        2.75573136213857245213e-6,
        -1.98412698295895385996e-4,
        8.33333333332211858878e-3,
        -1.66666666666666307295e-1,
    ];
    pub const COS_F64: [f64; 6] = [
        -1.13585365213876817300e-11,
        2.08757008419747316778e-9,
        -2.75573141792967388112e-7,
        2.48015872888517045348e-5,
        -1.38888888888730564116e-3,
        4.16666666666665929218e-2,
    ];
    pub const LN2_F32: [f32; 2] = [0.693359375, -2.12194440e-4];
    pub const LN2_F64: [f64; 2] = [6.93145751953125e-1, 1.42860682030941723212e-6];
}
use coefficients::*;

/// `1 / k!`, from the highest power to the lowest.
const EXP_F32: [f32; 8] =
    [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
const EXP_F64: [f64; 14] = [
    1.0 / 6_227_020_800.0,
    1.0 / 479_001_600.0,
    1.0 / 39_916_800.0,
    1.0 / 3_628_800.0,
    1.0 / 362_880.0,
    1.0 / 40_320.0,
    1.0 / 5040.0,
    1.0 / 720.0,
    1.0 / 120.0,
    1.0 / 24.0,
    1.0 / 6.0,
    0.5,
    1.0,
    1.0,
];

impl_element!(f32 f32s splat_f32s add_f32s sub_f32s mul_f32s mul_add_e_f32s negate_mul_add_e_f32s
    neg_f32s exchange_f32s permute_f32s less_than_f32s select_f32s xor_m32s
    min_f32s max_f32s div_f32s power_of_two_f32s
    12_582_912.0, PI_F32, SIN_F32, COS_F32, LN2_F32, EXP_F32, 87.3);
impl_element!(f64 f64s splat_f64s add_f64s sub_f64s mul_f64s mul_add_e_f64s negate_mul_add_e_f64s
    neg_f64s exchange_f64s permute_f64s less_than_f64s select_f64s xor_m64s
    min_f64s max_f64s div_f64s power_of_two_f64s
    6_755_399_441_055_744.0, PI_F64, SIN_F64, COS_F64, LN2_F64, EXP_F64, 708.0);

/// A register of numbers, with the instruction set that it belongs to.
#[derive(Clone, Copy)]
pub struct Lanes<T: Element, S: Isa> {
    v: T::Register<S>,
    pub s: S,
}

/// A complex number in every lane.
pub type Complex<T, S> = (Lanes<T, S>, Lanes<T, S>);

/// The number of lanes.
#[inline(always)]
pub const fn lanes<T: Element, S: Isa>() -> usize {
    size_of::<T::Register<S>>() / size_of::<T>()
}

impl<T: Element, S: Isa> Lanes<T, S> {
    #[inline(always)]
    pub fn splat(s: S, x: T) -> Self {
        Self { v: T::splat_lanes(s, x), s }
    }

    #[inline(always)]
    pub fn zero(s: S) -> Self {
        Self::splat(s, T::zero())
    }

    /// The first numbers of a slice.
    ///
    /// # Panics
    ///
    /// Panics if it holds fewer than there are lanes.
    #[inline(always)]
    pub fn load(s: S, from: &[T]) -> Self {
        assert!(from.len() >= lanes::<T, S>());
        // SAFETY: the slice is long enough, and registers of pulp are plain structs of numbers with
        // the alignment of one.
        unsafe { Self::read(s, from.as_ptr()) }
    }

    /// Writes the lanes to the start of a slice.
    ///
    /// # Panics
    ///
    /// Panics if it is shorter than there are lanes.
    #[inline(always)]
    pub fn store(self, to: &mut [T]) {
        assert!(to.len() >= lanes::<T, S>());
        // SAFETY: as in `load`.
        unsafe { self.write(to.as_mut_ptr()) }
    }

    /// `f(l)` in lane `l`.
    #[inline(always)]
    pub fn from_fn(s: S, mut f: impl FnMut(usize) -> T) -> Self {
        let mut array = [T::zero(); MAX_LANES];
        array[..lanes::<T, S>()].iter_mut().enumerate().for_each(|(l, x)| *x = f(l));
        Self::load(s, &array)
    }

    /// # Safety
    ///
    /// `from` must be readable for as many numbers as there are lanes.
    #[inline(always)]
    pub unsafe fn read(s: S, from: *const T) -> Self {
        // SAFETY: the caller's promise.
        let v = unsafe { from.cast::<T::Register<S>>().read_unaligned() };
        Self { v, s }
    }

    /// # Safety
    ///
    /// `to` must be writable for as many numbers as there are lanes.
    #[inline(always)]
    pub unsafe fn write(self, to: *mut T) {
        // SAFETY: the caller's promise.
        unsafe { to.cast::<T::Register<S>>().write_unaligned(self.v) }
    }

    /// `self a + b`.
    #[inline(always)]
    pub fn mul_add(self, a: Self, b: Self) -> Self {
        Self { v: T::mul_add_lanes(self.s, self.v, a.v, b.v), s: self.s }
    }

    /// `b - self a`.
    #[inline(always)]
    pub fn neg_mul_add(self, a: Self, b: Self) -> Self {
        Self { v: T::neg_mul_add_lanes(self.s, self.v, a.v, b.v), s: self.s }
    }

    #[inline(always)]
    pub fn sin_cos(self) -> (Self, Self) {
        T::sin_cos_lanes(self)
    }

    /// `1 / (1 + exp(-self))`; exactly 0 below the range of normal numbers.
    #[inline(always)]
    pub fn sigmoid(self) -> Self {
        T::sigmoid_lanes(self)
    }

    /// Lane `l` receives lane `l ^ X`.
    #[inline(always)]
    pub fn xor<const X: usize>(self) -> Self {
        Self { v: T::xor_lanes::<S, X>(self.s, self.v), s: self.s }
    }

    /// Lane `l` receives lane `index[l] ^ flip` of `self` followed by `other`.
    #[inline(always)]
    pub fn permute(self, other: Self, index: &Index, flip: u32) -> Self {
        Self { v: T::permute_lanes(self.s, self.v, other.v, index, flip), s: self.s }
    }
}

macro_rules! lane_by_lane {
    ($trait:ident $method:ident $lanes:ident) => {
        impl<T: Element, S: Isa> $trait for Lanes<T, S> {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self { v: T::$lanes(self.s, self.v, other.v), s: self.s }
            }
        }
    };
}

lane_by_lane!(Add add add_lanes);
lane_by_lane!(Sub sub sub_lanes);
lane_by_lane!(Mul mul mul_lanes);

impl<T: Element, S: Isa> AddAssign for Lanes<T, S> {
    #[inline(always)]
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl<T: Element, S: Isa> Neg for Lanes<T, S> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self { v: T::neg_lanes(self.s, self.v), s: self.s }
    }
}

/// A kernel: work on registers, in loops.
///
/// `SINGLE` says how a state lies in memory: if false, a register holds one amplitude of as many
/// samples as there are lanes; if true, as many neighbouring amplitudes of one sample, so that the
/// lowest qubits are bits of the lane.
pub trait Sweep {
    type Output;

    /// Must be `#[inline(always)]`.
    fn run<S: Isa, const SINGLE: bool>(self, s: S) -> Self::Output;
}

struct Call<K, S, const SINGLE: bool>(K, S);

impl<K: Sweep, S: Isa, const SINGLE: bool> pulp::NullaryFnOnce for Call<K, S, SINGLE> {
    type Output = K::Output;

    #[inline(always)]
    fn call(self) -> K::Output {
        self.0.run::<S, SINGLE>(self.1)
    }
}

/// The instruction set of this processor, and how states lie in memory.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    arch: pulp::Arch,
    /// See [`Sweep`].
    pub single: bool,
}

impl Machine {
    pub fn new(single: bool) -> Self {
        Self { arch: pulp::Arch::new(), single }
    }

    /// The same for states that lie one by one.
    pub fn singly(self) -> Self {
        Self { single: true, ..self }
    }

    /// Every instruction set that this processor has.
    #[cfg(test)]
    pub fn every(single: bool) -> Vec<Self> {
        let mut all = vec![Self { arch: pulp::Arch::Scalar, single }, Self::new(single)];
        #[cfg(target_arch = "x86_64")]
        if let Some(s) = pulp::x86::V3::try_new() {
            all.push(Self { arch: pulp::Arch::V3(s), single });
        }
        all
    }

    /// Runs a kernel.
    #[inline]
    pub fn launch<K: Sweep>(self, kernel: K) -> K::Output {
        match self.arch {
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V4(s) => self.on(s, kernel),
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V3(s) => self.on(s, kernel),
            #[cfg(target_arch = "aarch64")]
            pulp::Arch::Neon(s) => self.on(s, kernel),
            _ => self.on(pulp::Scalar128b, kernel),
        }
    }

    #[inline(always)]
    fn on<S: Isa, K: Sweep>(self, s: S, kernel: K) -> K::Output {
        match self.single {
            true => s.vectorize(Call::<K, S, true>(kernel, s)),
            false => s.vectorize(Call::<K, S, false>(kernel, s)),
        }
    }

    /// The number of lanes of a register of `T`.
    pub fn lanes<T: Element>(self) -> usize {
        match self.arch {
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V4(_) => lanes::<T, pulp::x86::V4>(),
            #[cfg(target_arch = "x86_64")]
            pulp::Arch::V3(_) => lanes::<T, pulp::x86::V3>(),
            #[cfg(target_arch = "aarch64")]
            pulp::Arch::Neon(_) => lanes::<T, pulp::aarch64::Neon>(),
            _ => lanes::<T, pulp::Scalar128b>(),
        }
    }

    /// The number of qubits that are bits of the lane.
    pub fn lane_bits<T: Element>(self) -> usize {
        if self.single { self.lanes::<T>().trailing_zeros() as usize } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct SinCos<'a, T>(&'a mut [T]);

    impl<T: Element> Sweep for SinCos<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<S: Isa, const SINGLE: bool>(self, s: S) {
            let (sin, cos) = Lanes::load(s, self.0).sin_cos();
            sin.store(self.0);
            cos.store(&mut self.0[MAX_LANES..]);
        }
    }

    fn sin_cos<T: Element>(x: T) -> (T, T) {
        let mut values = [x; 2 * MAX_LANES];
        Machine::new(false).launch(SinCos(&mut values));
        (values[0], values[MAX_LANES])
    }

    #[test]
    fn the_sine_of_lanes_agrees_with_the_library() {
        for k in -20_000..20_000 {
            let x = k as f64 * 0.0131;
            let (s, c) = sin_cos(x);
            assert!((s - x.sin()).abs() < 5e-16 && (c - x.cos()).abs() < 5e-16, "{x}");
            let (s, c) = sin_cos(x as f32);
            let exact = x as f32 as f64;
            assert!((s as f64 - exact.sin()).abs() < 2e-7, "{x}");
            assert!((c as f64 - exact.cos()).abs() < 2e-7, "{x}");
        }
    }

    struct Sigmoid<'a, T>(&'a mut [T]);

    impl<T: Element> Sweep for Sigmoid<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<S: Isa, const SINGLE: bool>(self, s: S) {
            for x in self.0.chunks_exact_mut(MAX_LANES) {
                for x in x.chunks_exact_mut(lanes::<T, S>()) {
                    Lanes::load(s, x).sigmoid().store(x);
                }
            }
        }
    }

    /// The largest relative error on a fine grid of numbers whose sigmoid is normal.
    fn sigmoid_error<T: Element>(machine: Machine, limit: f64) -> f64 {
        let n = 400_000;
        let x = (-n..n).map(|k| T::from(f64::from(k) * limit / f64::from(n)).expect("a number"));
        let x: Vec<T> = x.collect();
        let mut m = x.clone();
        machine.launch(Sigmoid(&mut m));
        let error = |(x, m): (&T, &T)| {
            let x = x.to_f64().expect("a number");
            // Without loss of digits on either side.
            let exact = if x < 0.0 { x.exp() / (1.0 + x.exp()) } else { 1.0 / (1.0 + (-x).exp()) };
            (m.to_f64().expect("a number") / exact - 1.0).abs()
        };
        x.iter().zip(&m).map(error).fold(0.0, f64::max)
    }

    #[test]
    fn the_sigmoid_of_lanes_agrees_with_the_library() {
        for machine in Machine::every(true) {
            let (single, double) =
                (sigmoid_error::<f32>(machine, 87.2), sigmoid_error::<f64>(machine, 707.9));
            assert!(single < 2.5e-7, "{single}");
            assert!(double < 6e-16, "{double}");
        }
    }

    fn sigmoids<T: Element>(machine: Machine, x: [f64; 8]) -> Vec<f64> {
        let mut values = [T::zero(); MAX_LANES];
        values.iter_mut().zip(x).for_each(|(to, x)| *to = T::from(x).expect("a number"));
        machine.launch(Sigmoid(&mut values));
        values[..8].iter().map(|m| m.to_f64().expect("a number")).collect()
    }

    #[test]
    fn the_sigmoid_is_exact_beyond_the_range() {
        let (inf, max) = (f64::INFINITY, f64::from(f32::MAX));
        let x = [-inf, -max, -1e4, -710.0, 710.0, 1e4, max, inf];
        for machine in Machine::every(true) {
            let steps = [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
            assert_eq!(sigmoids::<f32>(machine, x), steps);
            assert_eq!(sigmoids::<f64>(machine, x), steps);
            let near = [-88.0, -87.31, -90.0, -104.0, -120.0, 0.0, 88.0, 104.0];
            assert_eq!(sigmoids::<f32>(machine, near), [0.0, 0.0, 0.0, 0.0, 0.0, 0.5, 1.0, 1.0]);
        }
    }

    struct Shuffle<'a, T>(&'a mut [T]);

    impl<T: Element> Sweep for Shuffle<'_, T> {
        type Output = ();

        #[inline(always)]
        fn run<S: Isa, const SINGLE: bool>(self, s: S) {
            let n = lanes::<T, S>();
            let (a, b) = (Lanes::load(s, self.0), Lanes::load(s, &self.0[n..]));
            let index = std::array::from_fn(|l| ((5 * l + 3) % (2 * n)) as u32);
            a.permute(b, &index, 1).store(&mut self.0[2 * n..]);
            a.xor::<1>().store(&mut self.0[3 * n..]);
        }
    }

    fn check_shuffles<T: Element>() {
        let n = Machine::new(false).lanes::<T>();
        let mut values: Vec<T> = (0..4 * n).map(|k| T::from(k).expect("small")).collect();
        let start = values.clone();
        Machine::new(false).launch(Shuffle(&mut values));
        for l in 0..n {
            assert_eq!(values[2 * n + l], start[((5 * l + 3) % (2 * n)) ^ 1]);
            assert_eq!(values[3 * n + l], start[l ^ 1]);
        }
    }

    #[test]
    fn lanes_are_exchanged_as_documented() {
        check_shuffles::<f32>();
        check_shuffles::<f64>();
    }
}
