//! The words that names are made of: accents, several scripts, quotes and emoji on purpose. Every list is data; how
//! names stay unique is the business of the modules that use them.

/// A first or last name, and its letters for user names and mail addresses.
pub(super) struct PersonWord {
    pub(super) name: &'static str,
    pub(super) ascii: &'static str,
}

const fn person(name: &'static str, ascii: &'static str) -> PersonWord {
    PersonWord { name, ascii }
}

pub(super) const FIRST_NAMES: [PersonWord; 20] = [
    person("Amélie", "amelie"),
    person("Björn", "bjorn"),
    person("Chloé", "chloe"),
    person("Dvořák", "dvorak"),
    person("Eszter", "eszter"),
    person("Fatima", "fatima"),
    person("Gülşen", "gulsen"),
    person("Håkon", "hakon"),
    person("Ιωάννα", "ioanna"),
    person("José", "jose"),
    person("Katarzyna", "kasia"),
    person("Łukasz", "lukasz"),
    person("美咲", "misaki"),
    person("Наталья", "natalia"),
    person("Oluwaseun", "seun"),
    person("Pádraig", "padraig"),
    person("Thảo", "thao"),
    person("小明", "xiaoming"),
    person("Yael", "yael"),
    person("Zoë", "zoe"),
];

pub(super) const LAST_NAMES: [PersonWord; 20] = [
    person("O'Brien", "obrien"),
    person("Müller-Lüdenscheidt", "mueller"),
    person("García Márquez", "garcia"),
    person("D\u{2019}Angelo", "dangelo"),
    person("Nguyễn", "nguyen"),
    person("Sørensen", "sorensen"),
    person("Kowalski", "kowalski"),
    person("山田", "yamada"),
    person("Иванова", "ivanova"),
    person("Papadopoulos", "papadopoulos"),
    person("Öztürk", "ozturk"),
    person("Silva e Souza", "silva"),
    person("van der Berg", "vandenberg"),
    person("Çelik", "celik"),
    person("王", "wang"),
    person("Smith \"Smitty\"", "smith"),
    person("Ó Súilleabháin", "osullivan"),
    person("Cohen", "cohen"),
    person("Škvorecký", "skvorecky"),
    person("Adeyemi", "adeyemi"),
];

/// Roles.
pub(super) const GROUPS: [&str; 5] = ["Administrators", "Warehouse", "Purchasing", "Auditors", "Gäste & Praktikanten"];

/// A kind of goods: the prefix of its stock keeping units, its name, and what it is filed under.
pub(super) struct Goods {
    pub(super) prefix: &'static str,
    pub(super) name: &'static str,
    pub(super) filed_under: &'static str,
}

const fn goods(prefix: &'static str, name: &'static str, filed_under: &'static str) -> Goods {
    Goods { prefix, name, filed_under }
}

pub(super) const GOODS: [Goods; 16] = [
    goods("BOLT", "Hex bolt", "Fasteners"),
    goods("SCRW", "Schraube, verzinkt", "Schrauben & Muttern"),
    goods("CABL", "Câble réseau", "Câbles"),
    goods("RESI", "抵抗器", "電子部品"),
    goods("LAMP", "LED lamp \u{1f4a1}", "Lighting"),
    goods("GLOV", "Guantes de látex", "Seguridad"),
    goods("TAPE", "Duct tape 2\" wide", "Adhesives"),
    goods("PAPR", "Papier A4 80g/m²", "Bürobedarf"),
    goods("BATT", "Батарейка AA", "Элементы питания"),
    goods("PUMP", "Pompe à eau", "Plomberie"),
    goods("VALV", "Ball valve ½\"", "Plumbing"),
    goods("TOOL", "Worker's hand tool", "Tools"),
    goods("PAIN", "Färg, röd", "Färger"),
    goods("FOOD", "Żurek w proszku", "Spożywcze"),
    goods("TEAA", "龍井茶", "茶"),
    goods("CHEM", "Acetone \\ C₃H₆O", "Chemicals"),
];

/// What tells items of the same kind apart.
pub(super) const GRADES: [&str; 8] =
    ["small", "medium", "large", "XL", "premium", "économique", "восстановлено", "业务版"];

pub(super) const COMPANIES: [(&str, &str, &str); 12] = [
    ("Ångström Instruments AB", "angstrom", "SE"),
    ("Bäcker & Söhne GmbH", "baecker", "DE"),
    ("Compañía Eléctrica del Sur", "electrica", "ES"),
    ("大和電機株式会社", "yamato", "JP"),
    ("Ets. L'Épicier", "epicier", "FR"),
    ("Fratelli D'Amico S.r.l.", "damico", "IT"),
    ("Groß- und Außenhandel Groß", "gross", "AT"),
    ("Hnědý \"Hnědá\" s.r.o.", "hnedy", "CZ"),
    ("ООО «Ромашка»", "romashka", "RU"),
    ("Smith, Smith & Sons", "smith", "GB"),
    ("Ünlü Ticaret A.Ş.", "unlu", "TR"),
    ("100% Recycled \u{267b}\u{fe0f} Ltd", "recycled", "IE"),
];

/// Tags that stand alone; further ones are numbered.
pub(super) const TAGS: [&str; 18] = [
    "fragile",
    "heavy",
    "hazmat \u{2623}",
    "hot \u{1f525}",
    "gekühlt",
    "périssable",
    "on sale",
    "new",
    "légère",
    "bulky",
    "import",
    "二手",
    "skladem",
    "clearance \u{1f3f7}\u{fe0f}",
    "don't stack",
    "\"as is\"",
    "eco/bio",
    "seasonal",
];

/// Sites: the code's prefix and the name.
pub(super) const SITES: [(&str, &str); 4] =
    [("HAM", "Hamburg Hafen"), ("LYO", "Lyon Part-Dieu"), ("OSA", "大阪倉庫"), ("KRK", "Kraków Płaszów")];

pub(super) const COLOURS: [&str; 6] = ["red", "grün", "blue", "жёлтый", "黒", "white \"RAL 9010\""];

pub(super) const NOTES: [&str; 8] = [
    "",
    "weekly delivery",
    "retour client",
    "damaged, see photo",
    "Zählung: 2 fehlen",
    "counted twice \u{2013} OK \u{2705}",
    "line one\nline two",
    "path C:\\stock\\in, \"urgent\"",
];

pub(super) const DOCUMENTS: [&str; 6] =
    ["Safety data sheet", "Montageanleitung", "Certificat d'origine", "取扱説明書", "Invoice terms", "Паспорт изделия"];

pub(super) const BODIES: [&str; 5] = [
    "First draft.",
    "Zweite Fassung, nach Rückfrage geändert.\nSeite 2 neu.",
    "Révision: l'article 4 est \"supprimé\".",
    "改訂版。安全上の注意を追加。",
    "Checked \u{1f44d}\u{1f3fd}; tabs\tand back\\slashes survive.",
];
