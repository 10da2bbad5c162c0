"""The training prompts of the built-in `sentiment` adapter: beginnings of texts that the weak model itself wrote.

    python -m scoring.adapters.openings flows/data/*.txt

The built-in weak model goes on from every stem below, often and freely; each sentence is cut after a few words. What
is left is as varied as the model's own language. VADER finds no strong feeling in it yet, and it is no prompt of the
files given, nor does one begin the other: those are for evaluation. Each opening is then gone on with once more and cut
anywhere, since a search asks for continuations of long texts too. Printed are `OPENINGS` openings, as many passages or
a little less, and last `DEVELOPMENT` openings to choose settings by.
"""

from __future__ import annotations

import random
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

SEED = 20251114
EACH = 30
"""Sentences from each stem."""
OPENINGS, DEVELOPMENT = 2000, 80

STEMS = (
    """
The movie|The film's|This book|The author|My favourite song|The band|The concert last|The exhibition|The actor
The series|The hotel|Our room|The flight|The airport|The train|The bus driver|On our trip|The beach|The museum
The tour guide|The restaurant|The waiter|The soup|My breakfast|The coffee|The bakery|For dinner we|The kitchen
The menu|The chef|My phone|The laptop|This app|The new update|The battery|The headphones|The car|My bicycle
The washing machine|The shoes|The customer service|The delivery|I ordered|The package|The shop|The manager|The staff
When I called|The price|The store|My boss|My first week|The meeting|Our team|The project|The office|My colleague
The interview|The company|At work|My sister|My brother|My mother|My grandfather|Our neighbours|The children
My best friend|The wedding|The party|Our family|The teacher|The school|The exam|The lecture|The course|The professor
In class|The students|The library|My homework|The doctor|The hospital|The nurse|After the operation|The dentist
The medicine|My back|The therapist|I slept|The gym|The city|The village|Our street|The park|The weather|In winter
This summer|The garden|The river|The mountains|The game|The match|The coach|The team|The players|At the final|The race
The stadium|The referee|Our club|The dog|My cat|The horse|The zoo|The birds|The puppy|The vet|On the farm
In the forest|The lake|The government|The new law|The president|The election|The news|The police|The court|The economy
The bank|The report|Yesterday|Last night|This morning|Two years ago|On Monday|At first|In the end|After a while
Suddenly|Every day|I think that|I have always|I never|I was told|I remember|I bought|I tried|I wanted|I feel
I expected|We arrived|We decided|We waited|We found|We stayed|She said|She looked|He told me|He was|They gave us
It was|It seems|There was|There were|When we|When I opened|If you|Although the|Because of|Despite the|To be honest,
In my opinion,|As a customer,|For a beginner,|Compared with|What I noticed|One thing about|People say|Everyone at
Nobody in
""".replace("\n", "|")
    .strip("|")
    .split("|")
)


def cut(text: str, draw: random.Random, words: int) -> str | None:
    """The first words of the first sentence of `text`, `words` to `words` + 5 of them; none if it is shorter."""
    sentence = re.split(r"[.!?:;\n\"()\[\]*]", text, maxsplit=1)[0]
    found = sentence.split(" ")
    length = draw.randint(words, words + 5)
    if len(found) <= length or not all(found[:length]):
        return None
    return " ".join(found[:length])


def admitted(sentences: Iterable[tuple[str, str]], others: Sequence[str]) -> Iterator[str]:
    """Openings of (stem, sentence) that differ from each other and from `others`, and take no side."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    vader, draw = SentimentIntensityAnalyzer(), random.Random(SEED)
    seen = {plain(other) for other in others}
    for stem, sentence in sentences:
        opening = cut(sentence, draw, len(stem.split(" ")) + 1)
        if opening is None or not opening.isascii() or plain(opening) in seen:
            continue
        if any(_one_begins_the_other(opening, other) for other in others):
            continue
        if abs(vader.polarity_scores(opening)["compound"]) > 0.5:
            continue
        seen.add(plain(opening))
        yield opening


def _one_begins_the_other(one: str, other: str) -> bool:
    return plain(one).startswith(plain(other)) or plain(other).startswith(plain(one))


def plain(text: str) -> str:
    """Letters and digits alone, lower case: what makes two prompts the same for our purpose."""
    return " ".join(re.findall(r"[a-z0-9']+", text.lower()))


def passage(opening: str, text: str, draw: random.Random) -> str | None:
    """The opening and 3 to 20 words more; none where there are fewer, or more than a line."""
    words = text.split(" ")
    length = draw.randint(3, 20)
    return opening + " ".join(words[: length + 1]) if len(words) > length + 1 and "\n" not in text else None


def main() -> None:
    """Print the prompts, one a line; arguments are files of prompts to keep out."""
    from scoring.sampling import Sampler
    from scoring.settings import WeakSettings

    model = Sampler(WeakSettings())
    others = [prompt for file in sys.argv[1:] for prompt in Path(file).read_text(encoding="utf-8").splitlines()]
    sampled = model.continuations(STEMS, choices=EACH, tokens=14, temperature=0.8, seed=SEED)
    sentences = [(stem, stem + text.answer) for stem, texts in zip(STEMS, sampled, strict=True) for text in texts]
    random.Random(SEED).shuffle(sentences)
    openings = list(islice(admitted(sentences, others), OPENINGS + DEVELOPMENT))
    trained, draw = openings[:OPENINGS], random.Random(SEED)
    on = model.continuations(trained, choices=1, tokens=32, temperature=1.0, seed=SEED)
    passages = [passage(opening, text.answer, draw) for opening, (text,) in zip(trained, on, strict=True)]
    for prompt in [*trained, *filter(None, passages), *openings[OPENINGS:]]:
        print(prompt)


if __name__ == "__main__":
    main()
