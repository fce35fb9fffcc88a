//! Circuits to QIR, the quantum programs of LLVM.

use super::{Angle, Circuit, Gate, GateSet, Operation};
use crate::error::Error;
use std::collections::BTreeSet;

impl Circuit {
    /// The circuit as a QIR module of the base profile, in the textual form of LLVM: every qubit is
    /// measured at the end, and the results are recorded as an array, that of qubit `i` as its
    /// element `i`.
    ///
    /// Equal to the circuit up to a global phase. The circuit is first
    /// [decomposed](Self::decomposed); its gates become calls such as
    /// `__quantum__qis__cnot__body`. Pointers are opaque, as LLVM from version 15 on and version 2 of
    /// the specification want them. Angles are written as their bits, so none is rounded.
    ///
    /// # Errors
    ///
    /// As [`decomposed`](Self::decomposed).
    ///
    /// # References
    ///
    /// - [QIR specification](https://github.com/qir-alliance/qir-spec), base profile
    ///
    /// ```
    /// use burn_quantum::circuit::Circuit;
    ///
    /// let mut bell = Circuit::new(2);
    /// bell.h(0).cnot(0, 1);
    /// let module = bell.to_qir()?;
    /// let cnot = "call void @__quantum__qis__cnot__body(ptr null, ptr inttoptr (i64 1 to ptr))";
    /// assert!(module.contains(cnot));
    /// # Ok::<(), burn_quantum::Error>(())
    /// ```
    pub fn to_qir(&self) -> Result<String, Error> {
        let (circuit, n) = (self.decomposed(GateSet::Common)?, self.n_qubits());
        let called: BTreeSet<&str> = circuit.operations().iter().map(declaration).collect();
        let section = |lines: Vec<String>| lines.concat();
        Ok([
            "; ModuleID = 'circuit'\nsource_filename = \"circuit\"\n\n".into(),
            section((0..n).map(label).collect()),
            "@array = internal constant [2 x i8] c\"a\\00\"\n\n".into(),
            "define i64 @main() #0 {\nentry:\n".into(),
            "  call void @__quantum__rt__initialize(ptr null)\n  br label %body\n\nbody:\n".into(),
            section(circuit.operations().iter().map(call).collect()),
            "  br label %measurements\n\nmeasurements:\n".into(),
            section((0..n).map(measurement).collect()),
            "  br label %output\n\noutput:\n".into(),
            format!("  call void @__quantum__rt__array_record_output(i64 {n}, ptr @array)\n"),
            section((0..n).map(record).collect()),
            "  ret i64 0\n}\n\n".into(),
            section(called.into_iter().map(|line| format!("declare void @{line}\n")).collect()),
            DECLARATIONS.into(),
            format!(
                "attributes #0 = {{ \"entry_point\" \"output_labeling_schema\"=\"schema_id\" \
                 \"qir_profiles\"=\"base_profile\" \"required_num_qubits\"=\"{n}\" \
                 \"required_num_results\"=\"{n}\" }}\n"
            ),
            FLAGS.into(),
        ]
        .concat())
    }
}

const DECLARATIONS: &str = "declare void @__quantum__rt__initialize(ptr)
declare void @__quantum__qis__mz__body(ptr, ptr writeonly) #1
declare void @__quantum__rt__array_record_output(i64, ptr)
declare void @__quantum__rt__result_record_output(ptr, ptr)

";

const FLAGS: &str = "attributes #1 = { \"irreversible\" }

!llvm.module.flags = !{!0, !1, !2, !3}

!0 = !{i32 1, !\"qir_major_version\", i32 2}
!1 = !{i32 7, !\"qir_minor_version\", i32 0}
!2 = !{i32 1, !\"dynamic_qubit_management\", i1 false}
!3 = !{i32 1, !\"dynamic_result_management\", i1 false}
";

/// A qubit or a result: its number as an address.
fn pointer(number: usize) -> String {
    match number {
        0 => "ptr null".into(),
        _ => format!("ptr inttoptr (i64 {number} to ptr)"),
    }
}

/// What the result of a qubit is called in the record.
fn label(qubit: usize) -> String {
    let text = format!("r{qubit}");
    format!("@r{qubit} = internal constant [{} x i8] c\"{text}\\00\"\n", text.len() + 1)
}

fn measurement(qubit: usize) -> String {
    let pointer = pointer(qubit);
    format!("  call void @__quantum__qis__mz__body({pointer}, {pointer})\n")
}

fn record(qubit: usize) -> String {
    let pointer = pointer(qubit);
    format!("  call void @__quantum__rt__result_record_output({pointer}, ptr @r{qubit})\n")
}

/// A call of an intrinsic: its angle, then its qubits.
fn call(operation: &Operation) -> String {
    let name = declaration(operation).split('(').next().unwrap_or_default();
    let bits = |angle: &Angle| format!("double 0x{:016X}", angle.resolve(&[], &[]).to_bits());
    let angles = operation.angles().iter().map(bits);
    let arguments: Vec<String> = angles.chain(operation.qubits().map(pointer)).collect();
    format!("  call void @{name}({})\n", arguments.join(", "))
}

/// Of the intrinsic for one of the common gates.
fn declaration(operation: &Operation) -> &'static str {
    match operation.gate() {
        Gate::X => "__quantum__qis__x__body(ptr)",
        Gate::Y => "__quantum__qis__y__body(ptr)",
        Gate::Z => "__quantum__qis__z__body(ptr)",
        Gate::H => "__quantum__qis__h__body(ptr)",
        Gate::S => "__quantum__qis__s__body(ptr)",
        Gate::Sdg => "__quantum__qis__s__adj(ptr)",
        Gate::T => "__quantum__qis__t__body(ptr)",
        Gate::Tdg => "__quantum__qis__t__adj(ptr)",
        Gate::RX => "__quantum__qis__rx__body(double, ptr)",
        Gate::RY => "__quantum__qis__ry__body(double, ptr)",
        Gate::RZ => "__quantum__qis__rz__body(double, ptr)",
        Gate::CNOT => "__quantum__qis__cnot__body(ptr, ptr)",
        gate => unreachable!("{gate:?} is not one of the common gates"),
    }
}
