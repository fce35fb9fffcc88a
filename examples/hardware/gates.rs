//! Gate-model devices, with a meter before them, and the network whose circuits they run.

use crate::common::Outcome;
use crate::train::Network;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use burn_quantum::circuit::{Circuit, CircuitShots, MeasuredCircuit, Observable, ansatz};
use burn_quantum::gradient::{Derivatives, SampledJacobian};
use burn_quantum::hardware::{
    AwsCredentials, Braket, BraketDevice, CircuitJobs, Connection, Ibm, IbmAccount, IonQ, Iqm,
    Meter, MeteredCircuits, Token,
};
use burn_quantum::nn::{CircuitLayer, CircuitLayerConfig};
use std::f64::consts::PI;
use std::sync::Arc;
use std::time::Duration;

const N_QUBITS: usize = 4;

/// A device that runs circuits.
pub struct Gates {
    name: String,
    meter: Meter,
    circuits_a_job: usize,
    sampler: Arc<MeteredCircuits>,
}

/// Which service, and where if not at the vendor's address.
pub struct Service<'a> {
    pub endpoint: Option<&'a str>,
    pub backend: &'a str,
    pub time: Duration,
}

impl Service<'_> {
    fn connection(&self) -> Connection {
        let connection = Connection::default().with_time(self.time);
        match self.endpoint {
            Some(endpoint) => connection.with_endpoint(endpoint),
            None => connection,
        }
    }

    /// The key comes from `IONQ_API_KEY`.
    pub fn ionq(&self) -> Outcome<Gates> {
        let token = Token::from_env("IONQ_API_KEY")?;
        Ok(Gates::new(IonQ::new(self.connection(), token, self.backend)?))
    }

    /// Key and instance come from `IBM_API_KEY` and `IBM_SERVICE_CRN`. A server of one's own gives bearer
    /// tokens, too.
    pub fn ibm(&self) -> Outcome<Gates> {
        let account = IbmAccount::from_env()?;
        let account = match self.endpoint {
            Some(endpoint) => {
                let origin: Vec<&str> = endpoint.splitn(4, '/').take(3).collect();
                account.with_identity_endpoint(origin.join("/"))
            }
            None => account,
        };
        Ok(Gates::new(Ibm::new(self.connection(), account, self.backend)?))
    }

    /// The token comes from `IQM_TOKEN`.
    pub fn iqm(&self) -> Outcome<Gates> {
        let token = Token::from_env("IQM_TOKEN")?;
        Ok(Gates::new(Iqm::new(self.connection(), token, self.backend)?))
    }

    /// The key comes from `AWS_ACCESS_KEY_ID` and its companions; the backend is an ARN.
    pub fn braket(&self, region: &str, bucket: &str) -> Outcome<Gates> {
        let device = BraketDevice {
            arn: self.backend.into(),
            region: region.into(),
            bucket: bucket.into(),
            prefix: "burn-quantum".into(),
        };
        Ok(Gates::new(Braket::new(self.connection(), AwsCredentials::from_env()?, device)?))
    }
}

impl Gates {
    fn new(device: impl CircuitJobs + 'static) -> Self {
        let (name, meter) = (device.name().to_owned(), Meter::default());
        let circuits_a_job = device.circuits_a_job();
        let sampler = MeteredCircuits::new(Arc::new(device), meter.clone(), circuits_a_job);
        Self { name, meter, circuits_a_job, sampler: Arc::new(sampler) }
    }

    /// The device in words.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it was asked for.
    pub fn meter(&self) -> &Meter {
        &self.meter
    }

    /// Two linear layers with QHON's encoding circuit between them.
    pub fn network(&self, n_shots: usize, device: &Device) -> CircuitNetwork {
        let config = CircuitLayerConfig::new(circuit(), Observable::each_z(N_QUBITS));
        let shots = CircuitShots::new(n_shots);
        CircuitNetwork {
            to_angles: LinearConfig::new(64, N_QUBITS).init(device),
            encoding: config.init_with_sampler(device, self.sampler.clone(), shots),
            head: LinearConfig::new(N_QUBITS, 10).init(device),
        }
    }

    /// The number of jobs of a batch of images, with all derivatives or none.
    pub fn jobs(&self, n_images: usize, trains: bool) -> Outcome<usize> {
        let measured = MeasuredCircuit::new(&circuit(), &Observable::each_z(N_QUBITS))?;
        let by = Derivatives { inputs: trains, weights: trains };
        let n_circuits = SampledJacobian::n_circuits(&measured, n_images, by);
        Ok(n_circuits.div_ceil(self.circuits_a_job))
    }
}

fn circuit() -> Circuit {
    ansatz::qhon_encoding(N_QUBITS, 1, true)
}

/// All that the head sees of an image went through the device.
#[derive(Module, Debug)]
pub struct CircuitNetwork {
    to_angles: Linear,
    encoding: CircuitLayer,
    head: Linear,
}

impl Network for CircuitNetwork {
    fn try_logits(&self, images: Tensor<4>) -> Result<Tensor<2>, burn_quantum::Error> {
        let angles = self.to_angles.forward(images.flatten::<2>(1, 3)).tanh() * PI;
        Ok(self.head.forward(self.encoding.try_forward(angles)?))
    }
}
