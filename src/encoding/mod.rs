//! Features to circuits.
//!
//! | encoding | state | features per qubit |
//! | --- | --- | --- |
//! | [`angle`] | a product of rotations `R(x_q)` | 1 |
//! | [`basis`] | the basis state `\|b>` | 1 bit |
//! | [`amplitude`] | `sum_i a_i \|i> / \|a\|` | exponentially many, in as many gates |
//! | [`iqp`] | Hadamards and phases `x_i`, `x_i x_j` | 1, with products of pairs |
//! | [`reuploading`] | any encoding again and again, trained layers between | as the encoding |
//!
//! `angle`, `iqp` and `reuploading` read the features as [`Angle::Input`], so that one circuit
//! serves a whole batch and has gradients by its features; `basis` and `amplitude` are computed
//! from concrete values, a circuit for each sample.
//!
//! [`Angle::Input`]: crate::circuit::Angle::Input

mod amplitude;
mod angle;
mod basis;
mod iqp;
mod reuploading;

pub use amplitude::amplitude;
pub use angle::angle;
pub use basis::basis;
pub use iqp::{iqp, iqp_features};
pub use reuploading::reuploading;
