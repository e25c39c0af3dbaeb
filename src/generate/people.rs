//! Who acts in the generated stream: users, service principals and managed identities of two
//! made-up companies. All about one follows from its number.

use super::random::Random;

const GIVEN: [&str; 24] = [
    "Mara", "Jonas", "Priya", "Tomas", "Aiko", "Olga", "Samuel", "Ines", "Rafael", "Nadia",
    "Viktor", "Leila", "Henrik", "Chiara", "Omar", "Petra", "Yusuf", "Elena", "Noah", "Freya",
    "Mateo", "Zofia", "Karim", "Alva",
];
const SURNAMES: [&str; 26] = [
    "Lindqvist",
    "Okafor",
    "Moreau",
    "Tanaka",
    "Novak",
    "Castillo",
    "Berg",
    "Hassan",
    "Rossi",
    "Keller",
    "Dubois",
    "Petrov",
    "Silva",
    "Yilmaz",
    "Jansen",
    "Kowalski",
    "Mensah",
    "Fischer",
    "Andersen",
    "Varga",
    "Costa",
    "Singh",
    "Weber",
    "Marin",
    "Haas",
    "Nilsen",
];
const SERVICES: [&str; 8] = [
    "sp-terraform",
    "sp-github-deploy",
    "sp-backup",
    "sp-monitoring",
    "sp-cost-export",
    "sp-aks-prod",
    "sp-data-factory",
    "sp-patching",
];
const COMPANIES: [(&str, &str); 2] = [
    ("contoso.com", "6f0d2c1e-58b3-4c7a-9a41-1d0e7c52b830"),
    ("fabrikam.com", "b81e4a97-20dd-4e6f-8c35-90a6f1d37e52"),
];
const CLIENTS: [&str; 4] = [
    "3d5f0b92-7c14-4e8a-b6d1-5a90c2e7f418",
    "91c7e2a4-0b6d-4f35-8e29-c4d81f6035ab",
    "e20a8d61-f49b-4c03-a7d5-186b3e9c72f0",
    "57b1c9f8-36e2-4da0-9b74-f08d2a61c5e3",
];

/// What kind of identity acts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    User,
    ServicePrincipal,
    ManagedIdentity,
}

/// One that acts.
#[derive(Clone, Debug)]
pub struct Person {
    pub kind: Kind,
    pub given: String,
    pub surname: String,
    /// Sign-in name of a user, display name of any other.
    pub name: String,
    pub object_id: String,
    pub app_id: String,
    pub tenant_id: &'static str,
    /// Subscription that this one works in.
    pub subscription: String,
    pub address: String,
}

impl Person {
    /// The one with this number: of a hundred, 82 are users.
    pub fn of_number(seed: u64, number: u64) -> Person {
        let mut random = Random::new(seed ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        let kind = match number % 50 {
            7 | 19 | 23 | 31 | 37 | 43 => Kind::ServicePrincipal,
            11 | 29 | 47 => Kind::ManagedIdentity,
            _ => Kind::User,
        };
        let (domain, tenant_id) = company(number.is_multiple_of(5));
        let (given, surname) = (random.word(&GIVEN), random.word(&SURNAMES));
        let name = match kind {
            Kind::User => format!("{given}.{surname}{number}@{domain}"),
            Kind::ServicePrincipal => format!("{}-{number}", random.word(&SERVICES)),
            Kind::ManagedIdentity => format!("mi-worker-{number}"),
        };
        let app_id = match kind {
            Kind::User => random.word(&CLIENTS).to_owned(),
            Kind::ServicePrincipal | Kind::ManagedIdentity => random.guid(),
        };
        // Eight subscriptions a company.
        let mut shared =
            Random::new(seed ^ u64::from(number.is_multiple_of(5)) ^ (random.below(8) << 8));
        Person {
            kind,
            given: given.to_owned(),
            surname: surname.to_owned(),
            name,
            object_id: random.guid(),
            app_id,
            tenant_id,
            subscription: shared.guid(),
            address: address(&mut random, kind),
        }
    }

    /// The user that the generated attack is made with.
    pub fn attacker(seed: u64) -> Person {
        Person {
            given: "Lena".to_owned(),
            surname: "Brandt".to_owned(),
            name: super::ATTACKER.to_owned(),
            address: "198.51.100.23".to_owned(),
            ..Person::of_number(seed, 1)
        }
    }
}

fn company(second: bool) -> (&'static str, &'static str) {
    let [contoso, fabrikam] = COMPANIES;
    if second { fabrikam } else { contoso }
}

/// Users come from the addresses kept for documentation, services from inside the cloud.
fn address(random: &mut Random, kind: Kind) -> String {
    let last = 1 + random.below(254);
    match kind {
        Kind::User if random.percent(4) => format!("2001:db8:{:x}::{last:x}", random.below(65_536)),
        Kind::User => format!("203.0.113.{last}"),
        Kind::ServicePrincipal | Kind::ManagedIdentity => {
            format!("10.{}.{}.{last}", random.below(32), random.below(256))
        }
    }
}
