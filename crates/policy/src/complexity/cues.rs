//! Words that say something of how hard a request is, in some languages. The lists are ours; what a group weighs is learnt.

use std::sync::LazyLock;

/// What a word hints at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cue {
    /// A task that changes or picks from a given text.
    Simple,
    /// Reasoning is asked for.
    Reason,
    /// Something is to be made or mended.
    Build,
    /// Programs.
    Code,
    /// Mathematics.
    Maths,
    /// Conditions that the answer must meet.
    Constraint,
    /// A puzzle.
    Puzzle,
    /// A trade with a vocabulary of its own.
    Domain,
    /// One thing after another.
    Steps,
    /// A short answer is wanted.
    Brief,
    /// A long one is.
    Deep,
    /// Courtesies.
    Chat,
    /// A question for a fact.
    Fact,
}

impl Cue {
    /// How many there are.
    pub(super) const COUNT: usize = 13;

    pub(super) fn bit(self) -> u16 {
        1 << (self as u16)
    }
}

/// In lower case. What ends with `*` is a beginning of 5 to 10 letters, and counts for every longer word that begins with it.
const WORDS: &[(Cue, &str)] = &[
    (
        Cue::Simple,
        "translate translat* translation summarize summarise summary summariz* summaris* tldr extract extract* classify classif* categorize \
         categorise label tag list rephrase paraphrase reword rewrite shorten proofread correct spelling spell grammar typo typos punctuation \
         convert format reformat capitalize capitalise uppercase lowercase sort alphabetically alphabetize define definition synonym synonyms \
         antonym sentiment detect identify name headline title subject hashtag hashtags caption bullet bullets points count transcribe \
         redact anonymize remove replace fill greet docstring rename comment comments indent mention mentioned according topic category intent \
         moderate offensive spam reply answer one word verbs nouns plural polish tidy sentence sentences words \
         übersetze übersetz* zusammenfa* zusammen fasse kürze korrigier* formulier* umformulie* liste nenne \
         traduis tradui* résume résum* corrige reformul* extrais liste traduce traduc* resume resumir resum* corrige corregir extrae \
         traduci riassumi corregg* elenca traduza traduz* resuma liste vertaal vat samen corrigeer переведи перевод* исправь сократи \
         翻译 翻譯 总结 總結 摘要 改写 列出 分类 翻訳 要約 번역 요약",
    ),
    (
        Cue::Reason,
        "prove proof proofs disprove derive derivation deduce infer justify justif* why reason reasoning rationale explain compare comparison \
         contrast evaluate assess critique criticize analyse analyze analysis analys* analyz* argue argument arguments implications \
         consequences tradeoff tradeoffs trade-offs weigh counterexample hypothesis hypothes* causes causal interpret reconcile contradict* \
         assumption assumptions plausible falsify quantify estimate predict forecast diagnose prioritize recommend decide whether \
         beweise beweis* begründe begründ* warum weshalb vergleiche vergleich* bewerte erkläre analysier* leite abwäg* \
         prouve démontre démontr* pourquoi compare justifie analyse évalue demuestra demostr* explica compara analiza justifica evalúa \
         dimostra perché confronta analizza prove porque analise avalie bewijs waarom vergelijk докажи почему сравни объясни \
         证明 為什麼 为什么 比较 分析 推导 推理 評価 証明 なぜ 比較 증명 분석 비교",
    ),
    (
        Cue::Build,
        "design architect* architecture plan planning roadmap implement implement* build develop create refactor refactor* optimize optimise \
         optimiz* optimis* optimal migrate migrat* scale scalable debug debugging troubleshoot investigate strategy strategies simulate model \
         integrate deploy orchestrate prototype invent formulate draft negotiate schema pipeline framework system fault-tolerant distributed \
         redesign solve solution fix entwirf entwickle entwirf* entwickl* implementi* optimier* plane löse konzipier* conçois concevoir \
         développe implémente optimise résous diseña diseñar desarrolla implementa optimiza resuelve progetta sviluppa risolvi projete \
         desenvolva ontwerp ontwikkel спроектируй реализуй реши разработай 设计 设计一 实现 优化 解决 設計 実装 설계 구현",
    ),
    (
        Cue::Code,
        "code function functions class classes method struct trait interface compile compiler segfault exception stacktrace traceback stack \
         thread threads threading mutex lock-free deadlock race async await concurrency concurrent sql query queries join index database \
         transaction regex api endpoint rest grpc graphql kubernetes docker terraform linux kernel rust python java javascript typescript \
         golang c++ haskell react django algorithm algorithms complexity recursion recursive dynamic heap tree graph hash pointer memory leak \
         allocator cache latency throughput unit tests bug bugs error errors null undefined variable loop array parser tokenizer garbage \
         collector microservice microservices monolith replication consensus raft paxos sharding backpressure idempotent idempotency \
         funktion fehler abfrage datenbank fonction requête función consulta funzione 函数 函數 代码 算法 線程 线程 数据库 関数 코드",
    ),
    (
        Cue::Maths,
        "integral integrals derivative derivatives matrix matrices eigenvalue eigenvalues theorem lemma corollary equation equations polynomial \
         prime primes modulo divisible probability probabilities variance expectation distribution bayes bayesian stochastic convergence \
         converges limit series converge continuous differentiable topology group ring field vector vectors manifold inequality induction \
         combinatorial combinatorics permutations bijection irrational rational integer integers infinitely logarithm geometry triangle \
         circle radius angle optimum gradient hessian convex markov martingale regression confidence sqrt log sum product maximum minimum \
         maximize minimize expected gleichung ableitung matrix wahrscheinlichkeit satz équation dérivée probabilité théorème ecuación \
         probabilidad teorema equazione probabilità 方程 概率 积分 矩阵 导数 定理 確率 方程式 확률",
    ),
    (
        Cue::Constraint,
        "must cannot without unless except only exactly least most constraint constraints constrained requirement requirements ensure \
         guarantee assume assuming suppose given such satisfy satisfies subject respect preserve preserving violates avoid never always \
         budget deadline limited tolerate largest smallest fewest shortest every same different must-have nobody none muss müssen ohne genau mindestens höchstens doit sans exactement debe sin \
         exactamente deve senza mindst должен 必须 不能 最多 至少 假设",
    ),
    (
        Cue::Puzzle,
        "riddle puzzle paradox liar liars knights knaves truth lies lying coin coins weighings balance hats prisoners wolf crossings weighing \
         bulbs goat sequence cipher decode clues clue suspects murderer who-done-it logic logical sudoku chess \
         checkmate rätsel énigme acertijo adivinanza indovinello загадка 谜题 逻辑 なぞなぞ",
    ),
    (
        Cue::Domain,
        "contract clause clauses liability indemnity indemnif* jurisdiction statute statutory tort plaintiff defendant precedent gdpr hipaa \
         compliance regulatory tax taxation depreciation amortization valuation derivatives hedging liquidity monetary fiscal inflation \
         elasticity econometri* diagnosis differential patient symptoms dosage contraindi* pathophysiology oncology pharmacoki* \
         clinical thermodyna* quantum relativity entropy enzyme genome crispr molecular polymer catalyst semiconductor aerodynami* \
         geopolitical philosophy ethical ethics epistemolo* metaphysic* kant hegel constitutional sovereignty causation endogeneity \
         vertrag haftung klausel steuer diagnose contrat responsabilité clause impôt contrato cláusula impuesto contratto 合同 诊断 税务",
    ),
    (
        Cue::Steps,
        "then also finally first second third additionally furthermore both afterwards next moreover step steps stepwise each every \
         schritt schritte schrittweise zuerst dann außerdem étape étapes ensuite enfin paso pasos luego además passo passi poi шаг 步骤 首先 \
         然后 一步 ステップ",
    ),
    (
        Cue::Brief,
        "briefly brief short quick quickly concise one-word yes/no simply just tiny kurz knapp bref brièvement breve brevemente kort кратко \
         简短 简单 簡単",
    ),
    (
        Cue::Deep,
        "detail detailed details comprehensive thorough thoroughly rigorous rigorously in-depth depth essay report whitepaper exhaustive \
         complete full carefully nuanced critical critically advanced expert formal formally systematically ausführlich detailliert gründlich \
         détaillé approfondi rigoureux detallado detalladamente riguroso dettagliato подробно 详细 深入 严格 詳しく 자세히",
    ),
    (
        Cue::Chat,
        "hello hi hey thanks thank bye goodbye morning evening welcome please lol joke cheers congratulations birthday hallo danke tschüss \
         guten bonjour merci salut hola gracias adiós ciao grazie olá obrigado привет спасибо 你好 谢谢 こんにちは ありがとう 안녕 감사",
    ),
    (
        Cue::Fact,
        "what who when where which capital population mean means meaning born invented located abbreviation stand stands wrote painted \
         currency color colour height distance year date time wer wann wo welche hauptstadt bedeutet quel quelle quand où capitale qué quién \
         cuándo dónde capital quale chi quando dove cosa wie wanneer кто когда где столица 什么 谁 哪里 首都 何ですか 무엇",
    ),
];

/// Slots of the table; a power of two, at least twice the words.
const SLOTS: usize = 4096;

struct Table {
    whole: Vec<(u32, u16)>,
    beginnings: Vec<(u32, u16)>,
    /// Of the beginnings' beginnings a bit each: few words have to be looked up by their beginning.
    likely: Vec<bool>,
}

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let mut table = Table {
        whole: vec![(0, 0); SLOTS],
        beginnings: vec![(0, 0); SLOTS],
        likely: vec![false; SLOTS],
    };
    for (cue, words) in WORDS {
        for word in words.split_whitespace() {
            let Some(beginning) = word.strip_suffix('*') else {
                enter(&mut table.whole, hash_of(word), cue.bit());
                continue;
            };
            enter(&mut table.beginnings, hash_of(beginning), cue.bit());
            let first: String = beginning.chars().take(STEM_CHARS_MIN).collect();
            if let Some(likely) = table.likely.get_mut(hash_of(&first) as usize % SLOTS) {
                *likely = true;
            }
        }
    }
    table
});

fn enter(slots: &mut [(u32, u16)], hash: u32, bit: u16) {
    for step in 0..SLOTS {
        if let Some(slot) = slots.get_mut((hash as usize + step) % SLOTS)
            && (slot.1 == 0 || slot.0 == hash)
        {
            *slot = (hash, slot.1 | bit);
            return;
        }
    }
}

fn find(slots: &[(u32, u16)], hash: u32) -> u16 {
    for step in 0..SLOTS {
        match slots.get((hash as usize + step) % SLOTS) {
            Some((_, 0)) | None => return 0,
            Some((known, cues)) if *known == hash => return *cues,
            Some(_) => {}
        }
    }
    0
}

/// A word that is being read: its hash, and those of its beginnings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Word {
    hash: u32,
    /// Characters so far.
    pub(super) chars: u32,
    stems: [u32; STEM_CHARS_MAX - STEM_CHARS_MIN + 1],
}

impl Word {
    pub(super) const EMPTY: Self = Self {
        hash: HASH_START,
        chars: 0,
        stems: [0; STEM_CHARS_MAX - STEM_CHARS_MIN + 1],
    };

    /// Takes its next character, in lower case.
    pub(super) fn push(&mut self, character: u32) {
        self.hash = hash(self.hash, character);
        self.chars += 1;
        if let Some(stem) = (self.chars as usize)
            .checked_sub(STEM_CHARS_MIN)
            .and_then(|at| self.stems.get_mut(at))
        {
            *stem = self.hash;
        }
    }

    /// What it hints at: a bit for each cue.
    pub(super) fn cues(&self) -> u16 {
        let table = &*TABLE;
        let cues = find(&table.whole, self.hash);
        let likely = STEM_CHARS_MIN < self.chars as usize
            && self
                .stems
                .first()
                .is_some_and(|stem| table.likely.get(*stem as usize % SLOTS) == Some(&true));
        if !likely {
            return cues;
        }
        let stems = self.stems.iter().take(self.chars as usize - STEM_CHARS_MIN);
        stems.fold(cues, |cues, stem| cues | find(&table.beginnings, *stem))
    }
}

/// The shortest and the longest beginning.
const STEM_CHARS_MIN: usize = 5;
const STEM_CHARS_MAX: usize = 10;

/// The hash of no letters (FNV-1a, 32 bits, by characters).
const HASH_START: u32 = 0x811C_9DC5;

fn hash(hash: u32, character: u32) -> u32 {
    (hash ^ character).wrapping_mul(0x0100_0193)
}

/// The hash of a word that is in lower case.
fn hash_of(word: &str) -> u32 {
    word.chars().map(u32::from).fold(HASH_START, hash)
}

/// The cues of a whole word.
pub(super) fn of(word: &str) -> u16 {
    let mut read = Word::EMPTY;
    word.chars().flat_map(char::to_lowercase).for_each(|c| read.push(u32::from(c)));
    read.cues()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_whole_and_by_their_beginnings() {
        let rows = [
            ("Translate", Cue::Simple.bit()),
            ("translating", Cue::Simple.bit()),
            ("ÜBERSETZEN", Cue::Simple.bit()),
            ("deadlocks", 0),
            ("deadlock", Cue::Code.bit()),
            ("翻译", Cue::Simple.bit()),
            ("summ", 0),
            ("zebra", 0),
            ("", 0),
        ];
        for (word, cues) in rows {
            assert_eq!(of(word), cues, "{word}");
        }
    }

    #[test]
    fn beginnings_are_as_long_as_they_may_be() {
        for word in WORDS.iter().flat_map(|(_, words)| words.split_whitespace()) {
            let chars = word.chars().count();
            if word.ends_with('*') {
                assert!((STEM_CHARS_MIN..=STEM_CHARS_MAX).contains(&(chars - 1)), "{word}");
            }
            assert_eq!(word.to_lowercase(), word);
        }
    }
}
