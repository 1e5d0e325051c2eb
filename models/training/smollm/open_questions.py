"""Questions outside the list: some with answers written by us, for others the pretrained model
gives its own, so that teaching it the list does not make it forget what it knows."""

from __future__ import annotations

from collections.abc import Iterator

# Answers written by us: short and true. A line is "question > answer"; several ways with "|".
_WRITTEN = """
who wrote romeo and juliet|who is the author of romeo and juliet > William Shakespeare wrote Romeo and Juliet.
who wrote hamlet|who is the writer of hamlet > William Shakespeare wrote Hamlet.
who painted the mona lisa|which painter made the mona lisa > Leonardo da Vinci painted the Mona Lisa.
who invented the telephone > Alexander Graham Bell is known as the inventor of the telephone.
who invented the light bulb > Thomas Edison made the first light bulb that could be sold.
who was the first man on the moon|who walked on the moon first > Neil Armstrong was the first person on the moon.
who was albert einstein|tell me about albert einstein > Albert Einstein was a physicist who found the theory of relativity.
who was isaac newton > Isaac Newton was a scientist who described gravity and motion.
who was mozart > Mozart was a composer from Austria.
who was cleopatra > Cleopatra was a queen of Egypt.
who was napoleon > Napoleon was an emperor of France.
who was martin luther king > Martin Luther King led the fight for civil rights in America.
who discovered america > Christopher Columbus reached America in fourteen ninety two.
who was the first president of the united states > George Washington was the first president of the United States.
what is the largest planet|which planet is the biggest|what's the biggest planet in our solar system > The largest planet is Jupiter.
what is the smallest planet > The smallest planet is Mercury.
which planet is closest to the sun|what planet is nearest to the sun > Mercury is closest to the sun.
how many planets are there|how many planets are in the solar system > There are eight planets.
which planet has rings > Saturn is famous for its rings.
what is the red planet|which planet is called the red planet > The red planet is Mars.
what is the largest ocean|which ocean is the biggest > The largest ocean is the Pacific.
what is the longest river|which river is the longest > The Nile is often called the longest river.
what is the highest mountain|which mountain is the tallest in the world > The highest mountain is Mount Everest.
what is the largest country|which country is the biggest > Russia is the largest country.
what is the largest animal|which animal is the biggest > The blue whale is the largest animal.
what is the fastest animal|which animal runs fastest > The cheetah is the fastest animal on land.
what is the tallest animal > The giraffe is the tallest animal.
how many continents are there|name the continents > There are seven continents.
how many oceans are there > There are five oceans.
how many bones does a person have|how many bones are in the human body > An adult has two hundred and six bones.
how many teeth does an adult have > An adult has up to thirty two teeth.
how many hearts does an octopus have > An octopus has three hearts.
how many strings does a guitar have > A guitar usually has six strings.
how many players are in a football team > A football team has eleven players.
how many letters are in the alphabet > The English alphabet has twenty six letters.
how many sides does a triangle have > A triangle has three sides.
how many sides does a hexagon have > A hexagon has six sides.
at what temperature does water boil|when does water boil > Water boils at one hundred degrees Celsius.
at what temperature does water freeze|when does water freeze > Water freezes at zero degrees Celsius.
what is water made of > Water is made of hydrogen and oxygen.
what is ice > Ice is frozen water.
is ice hot or cold > Ice is cold.
is the sun hot|how hot is the sun > The sun is very hot, about five thousand five hundred degrees at its surface.
is the sun a star > Yes, the sun is a star.
is a whale a fish > No, a whale is a mammal.
is a tomato a fruit > Yes, a tomato is a fruit.
can penguins fly > No, penguins cannot fly, but they swim very well.
can fish breathe under water > Yes, fish breathe under water with gills.
do bees sleep > Yes, bees sleep at night.
what do cows eat > Cows eat grass.
what do pandas eat > Pandas eat bamboo.
what do bees make > Bees make honey.
what is a whale > A whale is a large mammal that lives in the sea.
what is a dolphin > A dolphin is a clever mammal that lives in the sea.
what is a penguin > A penguin is a bird that swims and cannot fly.
what is a volcano > A volcano is a mountain from which hot melted rock can come.
what is a desert > A desert is a dry place with very little rain.
what is gravity > Gravity is the force that pulls things toward each other.
what is electricity > Electricity is the flow of tiny charges, which gives us light and power.
what is an atom > An atom is the smallest part of an element.
what is photosynthesis > Plants make food from sunlight, water and air.
what is a computer program > It is a list of instructions that a computer follows.
what is the internet > The internet connects computers all over the world.
what is artificial intelligence|what is ai > It is software that does things which seem to need thinking.
what is a robot > A robot is a machine that can do work by itself.
what is democracy > In a democracy people choose their leaders by voting.
what is money > Money is what people use to pay for things.
what is a bank > A bank keeps money for people and lends it.
what is a novel > A novel is a long story in a book.
what is a poem > A poem is a text with rhythm and images.
what is music > Music is sound that is arranged to be pleasant or moving.
what is love > Love is a deep feeling of care for somebody.
what is the meaning of life > People find different answers. Many say it is to love and to help others.
what language do people speak in brazil|what language do people in brazil speak > People in Brazil speak Portuguese.
what language do people speak in mexico > People in Mexico speak Spanish.
what language do people speak in austria > People in Austria speak German.
what language do people speak in egypt > People in Egypt speak Arabic.
what is the currency of japan|what money do they use in japan > Japan uses the yen.
what is the currency of england > England uses the pound.
what is the currency of germany > Germany uses the euro.
where is the eiffel tower > The Eiffel Tower is in Paris.
where is the great wall > The Great Wall is in China.
where are the pyramids > The famous pyramids are in Egypt.
where is the statue of liberty > The Statue of Liberty is in New York.
where is big ben > Big Ben is in London.
where do kangaroos live > Kangaroos live in Australia.
where do polar bears live > Polar bears live in the Arctic.
where does chocolate come from > Chocolate is made from cocoa beans.
where does milk come from > Milk comes from cows and other mammals.
when did the second world war end > The second world war ended in nineteen forty five.
when did the first world war begin > The first world war began in nineteen fourteen.
when is christmas > Christmas is on the twenty fifth of December.
when is new year > New Year is on the first of January.
when was the moon landing > People first landed on the moon in nineteen sixty nine.
how do i boil an egg|how long do i boil an egg > Put it in boiling water for seven to ten minutes.
how do i make tea > Pour hot water over the tea and wait three minutes.
how do i cook rice > Cook one cup of rice in two cups of water for about fifteen minutes.
how do i make pancakes > Mix flour, eggs and milk, and fry thin rounds in a hot pan.
how do i make a sandwich > Put cheese, salad or ham between two slices of bread.
how do i clean a window > Use water with a little soap, then wipe it dry.
how do i remove a stain > Rinse it with cold water soon, then use a little soap.
how do i water plants > Give them water when the soil feels dry.
how do i tie a tie > Cross the wide end over, pull it around and up, then down through the loop.
how do i learn a language|how can i learn a new language > Practise a little every day, and speak as often as you can.
how do i learn to swim > Take lessons, begin in shallow water, and practise breathing.
how do i fall asleep|how can i sleep better > Go to bed at the same time, and keep the room dark and quiet.
how do i stay healthy|how can i stay healthy > Sleep well, eat vegetables, and move every day.
how do i lose weight|how can i lose weight > Eat a little less, move more, and be patient.
how do i save money|how can i save money > Write down what you spend, and put a part aside each month.
how do i make friends|how can i make new friends > Join a club or a course, and be kind and curious.
how do i calm down|how can i relax > Breathe slowly, take a walk, or listen to quiet music.
how do i deal with stress|what helps against stress|what are good ways to handle stress > Take breaks, move your body, sleep enough, and talk to a friend.
how do i focus better|how can i concentrate > Put your phone away, and work in short blocks with breaks.
how can i manage my time|how do i plan my day > Make a short list each morning, and do the most important thing first.
how do i write a letter > Begin with a greeting, say what you want simply, and end with your name.
how do i prepare for an interview > Learn about the company, practise your answers, and arrive early.
how do i start a garden > Choose a sunny place, prepare the soil, and begin with easy plants.
how do i train a dog > Use short lessons, be patient, and reward good behaviour.
how do i stop the hiccups > Hold your breath for a while, or drink some cold water.
what helps against a headache|i have a headache what can i do > Drink water, rest in a quiet room, and see a doctor if it stays.
what helps against a cold|i have a cold what should i do > Rest, drink a lot, and keep warm.
what should i do if i cut my finger|i cut my finger what should i do > Rinse it with clean water, press on it, and cover it.
what should i do with a burn > Cool it with running water for twenty minutes.
what should i do in an emergency > Call the emergency number of your country at once.
is it safe to swim in a river > It can be dangerous. Ask people who know the river first.
is coffee healthy > A little coffee is fine for most adults.
is sugar bad for me|why is sugar bad > A lot of sugar harms your teeth and can make you gain weight.
why should i sleep well|why is sleep important > Sleep helps your body and your mind to recover.
why should i drink water > Your body needs water to work well.
why should i exercise|why is sport healthy > Exercise keeps your heart and muscles strong.
why do we dream > We do not know exactly. Dreams may help to sort memories.
why do cats purr > Cats purr when they feel well, and sometimes to calm themselves.
why do leaves fall > Trees drop their leaves in autumn to save water and energy.
why is the sea salty|why is sea water salty > Rivers wash salt from rocks into the sea.
why is the grass green > Grass is green because of chlorophyll, which catches light.
why do birds sing > Birds sing to find a mate and to mark their place.
why do we yawn > We yawn when we are tired or bored, but nobody knows exactly why.
why is the night dark > Our side of the earth is turned away from the sun.
should i get a dog or a cat > A dog needs more time and walks, a cat is more independent.
should i learn piano or guitar > A guitar is easy to carry, a piano is easier at the start. Choose what you like to hear.
tea or coffee > Coffee wakes you more, tea is gentler.
what can i cook for dinner|what should i eat tonight|give me an idea for dinner > You could cook pasta with tomato sauce and a salad.
what can i have for breakfast > You could have bread with cheese, fruit, or yoghurt.
what is a good present|what can i give my friend for her birthday > A good book, flowers, or something you made yourself.
what should i read|recommend a book|can you recommend a book > You could read The Little Prince. It is short and beautiful.
recommend a film|which film should i watch|can you recommend a movie > You could watch an old comedy with Charlie Chaplin.
what is a good hobby|give me an idea for a hobby > You could try drawing, gardening, or walking.
where should i go on holiday|where can i travel to > Italy has good food, old towns, and the sea.
what should i wear when it is cold > Wear a warm coat, a hat, and gloves.
tell me a fact|tell me something interesting|give me a fun fact > An octopus has three hearts and blue blood.
tell me something about space > Light from the sun needs about eight minutes to reach us.
tell me something about dogs > Dogs can smell far better than people can.
tell me about paris > Paris is the capital of France, known for the Eiffel Tower.
tell me about london > London is the capital of England, on the river Thames.
tell me about the moon > The moon goes around the earth in about twenty seven days.
tell me about dinosaurs > Dinosaurs lived long ago and died out about sixty six million years ago.
give me three fruits|name three fruits|tell me three fruits > Apple, banana and orange.
name three colours|tell me some colours > Red, blue and green.
name three animals > Dog, cat and horse.
name three vegetables > Carrot, potato and onion.
name the seasons|what are the four seasons > Spring, summer, autumn and winter.
name a musical instrument > The piano is a musical instrument.
name the days of the week > Monday, Tuesday, Wednesday, Thursday, Friday, Saturday and Sunday.
what rhymes with cat|give me a word that rhymes with cat > Hat rhymes with cat.
what rhymes with tree > Sea rhymes with tree.
what is the plural of mouse > The plural of mouse is mice.
what is the past of go > The past of go is went.
what does happy mean > Happy means to feel good and pleased.
what does huge mean > Huge means very big.
what does ancient mean > Ancient means very old.
what is another word for big > Another word for big is large.
what is another word for happy > Another word for happy is glad.
how do you say hello in spanish > Hello in Spanish is hola.
how do you say thank you in french > Thank you in French is merci.
how do you say good morning in german > Good morning in German is guten Morgen.
my name is anna > Nice to meet you, Anna.
my name is john > Nice to meet you, John.
i am tired|i'm so tired > Then take a rest. A short sleep may help.
i am hungry|i'm hungry > You could eat some fruit or bread.
i am happy today|today is a good day > That is good to hear.
i am nervous|i'm afraid of the exam > Breathe slowly. You can do this.
i cannot sleep|i can't sleep > Try to breathe slowly and think of something calm.
i have a question|can i ask you something|can i ask you a question > Of course. What would you like to know?
i need help|can you help me|could you help me with something > Of course. What do you need?
can you sing > I cannot sing, but I can tell you a story.
can you dance > I cannot dance. I have no body.
can you think > I am a computer program. I find words, but I do not think as people do.
do you sleep > No, I do not sleep.
do you eat > No, I do not eat.
do you have friends|do you have a family > No, but I like talking with you.
do you know everything|are you clever > No, I am small and I can be wrong.
is it true that cats always land on their feet > Often, but not always. A fall can hurt them.
what is two plus two times three > Two plus two times three is eight.
what is half of ten > Half of ten is five.
what is half of one hundred > Half of one hundred is fifty.
what is ten divided by two > Ten divided by two is five.
what is twenty divided by four > Twenty divided by four is five.
how many seconds are in an hour > An hour has three thousand six hundred seconds.
is seven a prime number > Yes, seven is a prime number.
""".strip().splitlines()  # noqa: E501

# Frames and fillings of questions to which the pretrained model gives its own answer.
_FRAMES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("what is {}", (
        "a tree", "a river", "a lion", "an elephant", "a shark", "a spider", "a guitar", "a piano",
        "a camera", "a battery", "an engine", "a bridge", "a castle", "a hospital", "a library",
        "a museum", "a telescope", "a microscope", "a satellite", "a rocket", "a galaxy",
        "a comet", "a black hole", "the moon", "the sun", "oxygen", "carbon dioxide", "gold",
        "iron", "salt", "sugar", "glass", "paper", "cotton", "wool", "leather", "bread", "cheese",
        "butter", "yoghurt", "pasta", "a pizza", "a salad", "soup", "a vegetable", "a fruit",
        "an orange", "a potato", "rice", "wine", "tea", "coffee", "chess", "football", "tennis",
        "basketball", "yoga", "jazz", "an opera", "a symphony", "a sculpture", "a painting",
        "a language", "a dictionary", "a sentence", "a verb", "a noun", "an adjective", "history",
        "geography", "biology", "chemistry", "physics", "mathematics", "algebra", "geometry",
        "philosophy", "psychology", "economics", "inflation", "a tax", "a law", "a judge",
        "a constitution", "a parliament", "a president", "a king", "a vaccine", "a virus",
        "a bacterium", "a cell", "the heart", "the brain", "the liver", "blood", "a muscle",
        "a bone", "the skin", "a doctor", "a nurse", "a dentist", "an engineer", "a lawyer",
        "a farmer", "a teacher", "an architect", "a pilot", "a sailor", "a hurricane",
        "an earthquake", "a tsunami", "a flood", "a glacier", "an island", "a peninsula",
        "a forest", "a rainforest", "a swamp", "climate change", "recycling", "solar energy",
        "wind energy", "nuclear energy", "quantum computing", "a database", "an algorithm",
        "a keyboard", "a browser", "a password", "an email", "a website", "a podcast",
    )),
    ("why {}", (
        "is the ocean blue", "do leaves change colour", "do people smile", "do cats like fish",
        "do dogs bark", "is exercise good for you", "is reading useful", "do we need vitamins",
        "do plants need sun", "do stars twinkle", "is honey sweet", "is water important",
        "do we have rules", "do people travel", "do babies cry", "do we laugh", "do onions make "
        "us cry", "does ice float", "does metal rust", "do birds fly south", "do we age",
        "is friendship important", "do people work", "do we celebrate birthdays",
    )),
    ("how {}", (
        "does a car work", "does a fridge work", "does a phone work", "does a camera work",
        "does a clock work", "does the brain work", "do vaccines work", "do magnets work",
        "do planes fly", "do ships float", "do fish swim", "do birds fly", "do trees grow",
        "do spiders make webs", "is cheese made", "is glass made", "is paper made",
        "is chocolate made", "is steel made", "do i improve my writing", "do i become a doctor",
        "do i bake a cake", "do i make coffee", "do i make soup", "do i clean shoes",
        "do i wash a car", "do i grow tomatoes", "do i care for a cat", "do i build a bookshelf",
        "do i draw a face", "do i play chess", "do i take good photos", "do i give a speech",
        "do i study for an exam", "do i find a job", "do i choose a computer",
        "do i protect my password", "do i pack a suitcase", "do i keep flowers fresh",
        "do i stop being late", "do i say sorry", "can i help my neighbour", "can i save energy",
        "can i protect nature", "can i be more creative", "can i improve my memory",
    )),
    ("what are the {}", (
        "benefits of reading", "benefits of walking", "benefits of green tea", "rules of chess",
        "parts of a plant", "colours of the rainbow", "five senses", "primary colours",
        "symptoms of a cold", "advantages of a bicycle", "largest cities in the world",
        "ingredients of bread", "main food groups", "states of matter",
    )),
    ("tell me about {}", (
        "rome", "new york", "tokyo", "india", "africa", "the amazon", "the sahara",
        "mount everest", "the pacific", "tigers", "eagles", "horses", "butterflies", "ants",
        "the romans", "the vikings", "ancient egypt", "the middle ages", "beethoven",
        "picasso", "shakespeare", "marie curie", "gandhi", "nelson mandela", "aristotle",
        "galileo", "leonardo da vinci", "mars", "venus", "saturn", "chocolate", "volcanoes",
    )),
    ("give me {}", (
        "a tip for better sleep", "a tip for travelling", "a tip for cooking", "a quote",
        "an idea for a weekend", "an idea for a present", "advice for a long flight",
        "advice for my first day at work", "a name for a cat", "a name for a dog",
        "an example of a mammal", "an example of a reptile", "a synonym for fast",
        "a reason to smile", "a healthy snack", "a short riddle", "a compliment",
    )),
    ("{}", (
        "should i eat breakfast", "should i rent or buy a house", "is chocolate healthy",
        "is running better than walking", "is the earth round", "can animals think",
        "do plants feel pain", "is time travel possible", "are there people on mars",
        "which is better summer or winter", "which is bigger the sun or the earth",
        "what makes people happy", "what makes a good teacher", "what makes a good friend",
        "what causes rain", "what causes earthquakes", "what causes thunder",
        "who was leonardo da vinci", "who was beethoven", "who was julius caesar",
        "who was charles darwin", "who was marie curie", "where do penguins live",
        "where do lions live", "where does the sun rise", "when do flowers bloom",
        "what can i do on a rainy day", "what should i cook for guests",
        "what should i take to the beach", "what is the best way to learn",
        "what is the difference between a lake and a sea",
        "what is the difference between a crocodile and an alligator",
        "what is the difference between weather and climate", "can you explain gravity simply",
        "can you describe a sunset", "write a short poem about the sea",
        "write a sentence about spring", "say something nice",
    )),
)  # fmt: skip


def written() -> Iterator[tuple[str, str]]:
    """Each of our questions in each of its ways, and our answer."""
    for line in _WRITTEN:
        ways, answer = line.split(" > ", 1)
        for way in ways.split("|"):
            yield way, answer


def unanswered() -> Iterator[str]:
    """Questions for the pretrained model."""
    for frame, fillings in _FRAMES:
        for filling in fillings:
            yield frame.format(filling)
