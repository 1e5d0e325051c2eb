"""Questions about anything: nano knows that they are meant for it, and says that it cannot answer.

What they are made of is apart from the open questions of the evaluation, which people could ask
of any assistant (`server/evaluation/open_questions.txt`).
"""

from __future__ import annotations

from random import Random

from models.training.skills.exchange import Exchange, pick
from models.training.skills.talk import CANNOT

_DEEDS = (  # after "how do i", "can i", "should i"
    "fix a leaking tap", "bake a loaf of rye bread", "learn to play the piano", "save more money",
    "train for a marathon", "paint a wooden fence", "change a flat tyre", "grow tomatoes at home",
    "write a letter of complaint", "remove rust from a knife", "teach my dog to sit",
    "get rid of ants", "prepare for a job interview", "fold a paper plane", "make a good omelette",
    "stop biting my nails", "apply for a passport", "clean a leather sofa", "tie a bow tie",
    "choose a new laptop", "cook rice without a pot", "set up a tent in wind", "sharpen scissors",
    "become a better listener", "speak in front of many people", "lose a little weight",
    "fall asleep faster", "store potatoes for the winter", "convert a video", "reset my password",
    "cancel my subscription", "return a pair of shoes", "book a flight to lisbon", "pay less tax",
    "invest a small amount of money", "keep cut flowers fresh", "iron a silk shirt", "start a blog",
    "plan a birthday party for a child", "unblock a sink", "measure my blood pressure",
    "build a bookshelf", "get a driving licence", "make friends in a new city", "draw a horse",
    "boil an egg at high altitude", "meditate for five minutes", "find a cheap hotel",
    "repair a zip", "teach a child to ride a bike", "make soap", "read a map", "hang a picture",
    "back up my phone", "write a poem about autumn", "pronounce croissant", "swim butterfly",
)  # fmt: skip
_THINGS = (  # after "what is", "tell me about", "how does ... work"
    "photosynthesis", "a black hole", "the stock market", "inflation", "the french revolution",
    "a blockchain", "electricity", "a vaccine", "gravity", "the ozone layer", "a solar panel",
    "the human brain", "dark matter", "the roman empire", "a volcano", "a microwave oven",
    "the immune system", "an election", "a fuel cell", "quantum physics", "the silk road",
    "evolution", "a mortgage", "the cold war", "machine learning", "a refrigerator", "a tornado",
    "the great wall", "a heat pump", "jazz", "the theory of relativity", "a ballet", "yoga",
    "the water cycle", "a telescope", "an earthquake", "the renaissance", "a symphony", "sushi",
    "global warming", "the internet", "a submarine", "a pulsar", "chess", "a kidney", "the tide",
)  # fmt: skip
_KINDS = (  # after "recommend", "what are some good"
    "books about history", "films for a rainy evening", "exercises for the back", "board games",
    "places to visit in portugal", "names for a kitten", "recipes with lentils", "podcasts",
    "gifts for my father", "songs for a wedding", "hobbies for old people", "snacks without sugar",
    "plants for a dark room", "museums in vienna", "ways to relax", "questions for a quiz",
    "restaurants near the harbour", "tools for a beginner", "apps to learn spanish",
    "novels by russian writers", "walks in the mountains", "breakfast ideas", "card tricks",
)  # fmt: skip
_PAIRS = (
    "a frog and a toad", "butter and margarine", "weather and climate", "a virus and a bacterium",
    "a lawyer and a judge", "jam and marmalade", "a comet and an asteroid", "coffee and espresso",
    "a violin and a viola", "saving and investing", "mist and fog",
    "a hurricane and a typhoon", "sorbet and ice cream",
)  # fmt: skip
_PEOPLE = (
    "marie curie", "isaac newton", "the president of mexico", "charles dickens", "cleopatra",
    "the inventor of the telephone", "leonardo da vinci", "the first man on the moon", "beethoven",
    "the author of don quixote", "albert einstein", "the coach of the national team", "mozart",
    "the queen of denmark", "frida kahlo", "the director of that film", "napoleon", "aristotle",
)  # fmt: skip
_FACTS = (
    "the height of mount fuji", "the boiling point of alcohol", "the population of brazil",
    "the speed of light", "the currency of poland", "the longest river in asia", "the oldest city",
    "the best time to visit iceland", "the price of gold today", "the score of the game",
    "the exchange rate of the pound", "the distance to the moon", "the largest desert",
    "the smallest planet", "the fastest animal on land", "the biggest city in africa",
    "the most spoken language", "the meaning of the word serendipity", "the chemical sign of iron",
    "the national dish of greece", "the temperature on mars", "the next full moon", "my balance",
)  # fmt: skip
_WHY = (
    "do cats purr", "is the sea salty", "do leaves turn red", "do we dream", "does bread rise",
    "is the desert cold at night", "do we get hiccups", "is glass clear",
    "do birds sing in the morning", "does the moon shine", "do people snore", "is blood red",
    "does metal rust", "do some people hate coriander", "do planes leave white lines", "do we age",
    "did the dinosaurs die out", "is my internet so slow", "are bananas curved", "is hair grey",
)  # fmt: skip
_WHEN = (
    "did the second world war end", "was the telephone invented", "does the library open",
    "is the next leap year", "should i plant garlic", "did people first bake bread",
    "does the last bus leave", "was the eiffel tower built", "will my parcel arrive",
    "do the clocks change", "did television become common", "is the best time to prune roses",
)  # fmt: skip
_WHERE = (
    "can i buy fresh fish", "do penguins live", "is the nearest pharmacy", "was chess invented",
    "do i park near the station", "can i find my receipt", "does chocolate come from",
    "are the pyramids", "can i donate old clothes", "do swallows go in winter", "is the toilet",
)  # fmt: skip
_HOW_MUCH = (
    "how many calories are in an avocado", "how long does it take to fly to sydney",
    "how far is the sun from here", "how much water should i drink", "how old is the universe",
    "how many bones does a human have", "how long should i boil pasta", "how deep is the ocean",
    "how much does a new bicycle cost", "how many people speak portuguese", "how tall is a giraffe",
    "how often should i water a cactus", "how long do elephants live", "how fast can a horse run",
    "how many players are in a rugby team", "how heavy is a blue whale", "how high do eagles fly",
)  # fmt: skip
_IS_IT = (
    "healthy to eat eggs every day", "dangerous to touch a jellyfish", "legal to park here",
    "true that goldfish forget everything", "possible to live on mars", "cold in moscow in may",
    "rude to eat with your hands", "cheaper to rent or to buy", "bad to drink coffee at night",
    "going to snow at the weekend", "allowed to take water on a plane", "hard to learn japanese",
)  # fmt: skip
_WORKS = (
    "a poem about the sea", "a short speech for a wedding", "a message to my landlord",
    "a shopping list for a barbecue", "a haiku", "an apology to my neighbour", "a riddle",
    "a plan for my week", "a bedtime story with a dragon", "a slogan for a bakery", "a toast",
    "a summary of hamlet", "a limerick", "three titles for my essay", "an advert for my old car",
)  # fmt: skip
_WISHES = (
    "to change my delivery address", "to speak to somebody about my bill", "a refund please",
    "to know more about your opening hours", "to move my appointment to friday",
    "help with my homework", "some advice about my garden", "to report a lost card",
    "to book a table for six", "a good recipe for pancakes", "to learn about wine",
    "to find out when my train leaves", "an idea for dinner tonight", "to cancel my booking",
)  # fmt: skip
_BEFORE = (
    "hi i have a problem with my printer it only prints half of the page",
    "my parents are coming to visit and i want to cook something special",
    "hello i bought a lamp from you last week and it does not work",
    "i have a meeting with my boss tomorrow",
    "we are planning a trip to scotland in the spring", "i just moved into a new flat",
    "my son has a science project at school", "my phone fell into the water", "i feel tired",
    "hi i am calling about my internet connection it stopped working this morning",
    "i have some spinach and two eggs in my fridge", "my neighbour plays loud music at night",
    "i want to start running but my knee hurts", "our cat does not want to eat",
)  # fmt: skip
_AFTER = (
    "what should i do", "can you help me", "do you have any advice", "could you give me some tips",
    "what would you do", "can you suggest something", "what do you recommend", "how do i begin",
    "can you check that for me", "could you explain what that means", "is that normal",
)  # fmt: skip
_FRAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("how do i {x}|how can i {x}|what is the best way to {x}|can you tell me how to {x}|"
     "how would you {x}|i want to {x} what do i need|is there an easy way to {x}|"
     "could you teach me how to {x}|show me how to {x}|should i {x}|how long does it take to {x}|"
     "what do i need to {x}|help me {x}|can you help me {x}|any tips on how to {x}", _DEEDS),
    ("what is {x}|how does {x} work|tell me about {x}|can you explain {x}|why is {x} important|"
     "what do you know about {x}|explain {x} to a child|give me some facts about {x}|"
     "what causes {x}|who discovered {x}|is {x} real|can you describe {x}", _THINGS),
    ("what are some good {x}|can you recommend some {x}|do you know any {x}|suggest {x}|"
     "i am looking for {x}|give me three {x}|which {x} do you like|find me some {x}|"
     "what are the best {x}|list some {x}", _KINDS),
    ("what is the difference between {x}|how do i tell the difference between {x}|"
     "compare {x}|which is better {x}", _PAIRS),
    ("who is {x}|who was {x}|when was {x} born|what is {x} famous for|how did {x} die|"
     "what did {x} do|where did {x} live|tell me something about {x}", _PEOPLE),
    ("what is {x}|do you know {x}|can you look up {x}|tell me {x}|what's {x}|give me {x}", _FACTS),
    ("why {x}|do you know why {x}|how come {x}", _WHY),
    ("when {x}|can you tell me when {x}", _WHEN),
    ("where {x}|do you know where {x}", _WHERE),
    ("{x}|do you know {x}|can you tell me {x}", _HOW_MUCH),
    ("is it {x}|do you think it is {x}", _IS_IT),
    ("write {x}|can you write {x}|compose {x} for me|please write me {x}|i need {x}", _WORKS),
    ("i would like {x}|i'd like {x}|i need {x}|can i get {x}|i want {x}", _WISHES),
)  # fmt: skip
_WEIGHTS = (16, 10, 7, 3, 6, 6, 5, 3, 3, 4, 4, 5, 4)
_GREETED = ("hi", "hello", "hey", "excuse me", "good morning", "okay so", "um", "well")


def open_ended(random: Random, held_out: bool = False) -> Exchange:
    """One question, sometimes behind a greeting or behind what it is about."""
    if random.random() < 0.12:
        question = f"{pick(random, _BEFORE)} {pick(random, _AFTER)}"
    else:
        ways, fillers = random.choices(_FRAMES, _WEIGHTS)[0]
        question = pick(random, ways.split("|")).format(x=pick(random, fillers))
    if random.random() < 0.08:
        question = f"{pick(random, _GREETED)} {question}"
    return Exchange(question, CANNOT, "open ended", "cannot answer")
