//! Circuits as text.

use super::{Action, Angle, Circuit, Operation};
use std::fmt;

/// A circuit drawn with one line a qubit and time from left to right.
///
/// `●` is a control, `⊕` the target of a controlled X, `×` an end of a swap, `┼` a wire that a
/// gate crosses. Each gate stands in the first column that is free on all qubits it spans. Inputs
/// are `x0`, weights `w0`, constant angles are rounded to four decimals.
///
/// ```
/// use burn_quantum::circuit::{Angle, Circuit};
///
/// let mut circuit = Circuit::new(3);
/// circuit.ry(Angle::Input(0), 0).h(1).cnot(0, 2).rz(Angle::Weight(3), 1);
/// assert_eq!(circuit.draw().to_string(), "\
/// q0: ─┤RY(x0)├─●──────────
/// q1: ───┤H├────┼─┤RZ(w3)├─
/// q2: ──────────⊕──────────
/// ");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Drawing<'a> {
    circuit: &'a Circuit,
    width: usize,
}

impl Circuit {
    /// The circuit as text, in lines of any length; see [`Drawing`]. A circuit is displayed so, too.
    pub fn draw(&self) -> Drawing<'_> {
        Drawing { circuit: self, width: usize::MAX }
    }
}

impl fmt::Display for Circuit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.draw().fmt(f)
    }
}

impl Drawing<'_> {
    /// The same drawing in lines of at most `width` characters, block below block, unless a single
    /// gate is wider.
    pub fn width(self, width: usize) -> Self {
        Self { width, ..self }
    }

    fn columns(&self) -> Vec<Column> {
        let n_qubits = self.circuit.n_qubits();
        let mut free = vec![0; n_qubits];
        let mut columns: Vec<Column> = Vec::new();
        for operation in self.circuit.operations() {
            let cells = cells(operation);
            let span = cells[0].0..=cells[cells.len() - 1].0;
            let place = free[span.clone()].iter().copied().max().unwrap_or(0);
            free[span].fill(place + 1);
            if place == columns.len() {
                columns.push(Column { width: 1, cells: vec![String::new(); n_qubits] });
            }
            cells.into_iter().for_each(|(qubit, text)| columns[place].put(qubit, text));
        }
        columns
    }

    /// How many of the columns fit into a line, one at least.
    fn fitting(&self, label: usize, columns: &[Column]) -> usize {
        let mut used = label + 1;
        let fits = |column: &&Column| {
            used += column.width + 1;
            used <= self.width
        };
        columns.iter().take_while(fits).count().max(1).min(columns.len())
    }
}

impl fmt::Display for Drawing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n_qubits = self.circuit.n_qubits();
        let digits = n_qubits.saturating_sub(1).to_string().len();
        let columns = self.columns();
        let mut rest = &columns[..];
        loop {
            let (block, later) = rest.split_at(self.fitting(digits + 3, rest));
            for qubit in 0..n_qubits {
                let label = format!("q{qubit}:");
                let line: String = block.iter().map(|column| column.line(qubit)).collect();
                writeln!(f, "{label:>0$} ─{line}", digits + 2)?;
            }
            rest = later;
            if rest.is_empty() {
                return Ok(());
            }
            writeln!(f)?;
        }
    }
}

/// What stands above each other, an empty text where there is only the wire.
struct Column {
    width: usize,
    cells: Vec<String>,
}

impl Column {
    fn put(&mut self, qubit: usize, text: String) {
        self.width = self.width.max(text.chars().count());
        self.cells[qubit] = text;
    }

    fn line(&self, qubit: usize) -> String {
        format!("{:─^1$}─", self.cells[qubit], self.width)
    }
}

/// What an operation puts on its qubits and on those between, from the first to the last.
fn cells(operation: &Operation) -> Vec<(usize, String)> {
    let (controls, targets) = (operation.controls(), operation.targets());
    let (low, high) = operation.qubits().fold((usize::MAX, 0), |(l, h), q| (l.min(q), h.max(q)));
    let cell = |qubit| {
        if controls.contains(&qubit) {
            "●".into()
        } else if targets.contains(&qubit) {
            target(operation)
        } else {
            "┼".into()
        }
    };
    (low..=high).map(|qubit| (qubit, cell(qubit))).collect()
}

fn target(operation: &Operation) -> String {
    let gate = operation.gate();
    match gate.info().action {
        Action::Swap => "×".into(),
        Action::Flip if !operation.controls().is_empty() => "⊕".into(),
        _ => {
            let name = gate.with_n_controls(0).unwrap_or(gate).info().name;
            let angles: Vec<String> = operation.angles().iter().map(angle).collect();
            let angles = angles.join(", ");
            if angles.is_empty() {
                format!("┤{name}├")
            } else {
                format!("┤{name}({angles})├")
            }
        }
    }
}

fn angle(angle: &Angle) -> String {
    match *angle {
        Angle::Constant(value) => rounded(value),
        Angle::Input(i) => format!("x{i}"),
        Angle::Weight(i) => format!("w{i}"),
    }
}

fn rounded(value: f64) -> String {
    if value != 0.0 && !(1e-3..1e6).contains(&value.abs()) {
        return format!("{value:.2e}");
    }
    let text = format!("{value:.4}");
    text.trim_end_matches('0').trim_end_matches('.').into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circuit::Gate;

    #[test]
    fn every_kind_of_cell_is_drawn() {
        let mut circuit = Circuit::new(4);
        circuit.h(0).cnot(0, 2).rx(0.5, 1).gate(Gate::CSWAP, &[3, 0, 1], &[]).cz(2, 3);
        circuit.gate(Gate::RXX, &[0, 2], &[Angle::Weight(0)]).x(3);
        circuit.gate(Gate::CU, &[1, 0], &[1e-9.into(), (-2.0).into(), Angle::Input(10)]);
        let toffoli = Operation::new(Gate::X, &[1], &[]).unwrap();
        circuit.push(toffoli.with_controls(&[3, 0]).unwrap()).unwrap();
        let drawing = "\
q0: ─┤H├─●───────────×─────┤RXX(w0)├─┤U(1.00e-9, -2, x10)├─●─
q1: ─────┼─┤RX(0.5)├─×─────────┼───────────────●───────────⊕─
q2: ─────⊕───────────┼──●──┤RXX(w0)├───────────────────────┼─
q3: ─────────────────●─┤Z├────┤X├──────────────────────────●─
";
        assert_eq!(circuit.to_string(), drawing, "\n{circuit}");
    }

    #[test]
    fn gates_share_columns_only_where_no_connector_runs() {
        let mut circuit = Circuit::new(3);
        circuit.cnot(0, 1).x(2).cnot(0, 2).x(1);
        let drawing = "\
q0: ──●──●─────
q1: ──⊕──┼─┤X├─
q2: ─┤X├─⊕─────
";
        assert_eq!(circuit.to_string(), drawing, "\n{circuit}");
    }

    #[test]
    fn lines_wrap_at_a_width() {
        let mut circuit = Circuit::new(2);
        circuit.h(0).cnot(0, 1).ry(0.25, 1).h(1).cnot_chain();
        let drawing = "\
q0: ─┤H├─●─
q1: ─────⊕─

q0: ────────────
q1: ─┤RY(0.25)├─

q0: ─────●─
q1: ─┤H├─⊕─
";
        assert_eq!(circuit.draw().width(12).to_string(), drawing, "\n{}", circuit.draw().width(12));
        let all = circuit.draw().width(80).to_string();
        assert_eq!(all, circuit.to_string());
    }

    #[test]
    fn labels_are_aligned_and_nothing_is_drawn_of_nothing() {
        let drawing = Circuit::new(11).to_string();
        assert!(drawing.starts_with(" q0: ─\n q1: ─\n") && drawing.ends_with("q10: ─\n"));
        assert_eq!(Circuit::new(0).to_string(), "");
    }
}
