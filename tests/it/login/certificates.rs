//! An authority of the tests' own, and the certificates that it signs.

use std::path::{Path, PathBuf};

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameBuilder};

/// Files with certificates and keys, as PEM.
pub struct Certificates {
    dir: tempfile::TempDir,
}

impl Certificates {
    /// An authority (`ca.pem`), which has signed `server.pem` for this machine and `client.pem`
    /// for a worker, and whom nobody knows.
    pub fn make() -> Certificates {
        let certificates = Certificates {
            dir: tempfile::tempdir().unwrap(),
        };
        let key = key();
        let name = name("Authority of tests");
        let mut builder = builder(&name, &key);
        let authority = BasicConstraints::new().critical().ca().build().unwrap();
        builder.append_extension(authority).unwrap();
        let signs = KeyUsage::new().key_cert_sign().crl_sign().build().unwrap();
        builder.append_extension(signs).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.sign(&key, MessageDigest::sha256()).unwrap();
        let authority = builder.build();
        certificates.write("ca.pem", &authority.to_pem().unwrap());
        for who in ["server", "client"] {
            certificates.sign(who, &authority, &key);
        }
        certificates
    }

    fn sign(&self, who: &str, authority: &X509, by: &PKey<Private>) {
        let key = key();
        let mut builder = builder(&name(who), &key);
        builder.set_issuer_name(authority.subject_name()).unwrap();
        let names = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .dns("localhost")
            .build(&builder.x509v3_context(Some(authority), None))
            .unwrap();
        builder.append_extension(names).unwrap();
        builder.sign(by, MessageDigest::sha256()).unwrap();
        let certificate = builder.build().to_pem().unwrap();
        let key = key.private_key_to_pem_pkcs8().unwrap();
        self.write(&format!("{who}.pem"), &certificate);
        self.write(&format!("{who}.key"), &key);
        // As Kafka wants them, in one file.
        self.write(&format!("{who}.both"), &[key, certificate].concat());
    }

    /// The place of a file.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where all of them lie.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.path(name), bytes).unwrap();
    }
}

fn key() -> PKey<Private> {
    PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()
}

fn name(of: &str) -> X509Name {
    let mut name = X509NameBuilder::new().unwrap();
    name.append_entry_by_text("CN", of).unwrap();
    name.build()
}

/// A certificate of `key` for two days, with all but the signature.
fn builder(subject: &X509Name, key: &PKey<Private>) -> X509Builder {
    let mut builder = X509Builder::new().unwrap();
    builder.set_version(2).unwrap();
    let mut serial = BigNum::new().unwrap();
    serial.rand(120, MsbOption::MAYBE_ZERO, false).unwrap();
    let serial = serial.to_asn1_integer().unwrap();
    builder.set_serial_number(&serial).unwrap();
    builder.set_subject_name(subject).unwrap();
    builder.set_pubkey(key).unwrap();
    // Clocks differ.
    let yesterday = Asn1Time::from_unix(crate::worker::setup::now() / 1000 - 86_400).unwrap();
    builder.set_not_before(&yesterday).unwrap();
    let tomorrow = Asn1Time::days_from_now(1).unwrap();
    builder.set_not_after(&tomorrow).unwrap();
    builder
}
