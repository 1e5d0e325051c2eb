"""Twelve explanations, 20 to 40 seconds each when spoken."""

EXPLANATIONS: dict[str, str] = {
    "why the sky is blue": (
        "Light from the sun looks white, but it is made of all colours. When it comes through "
        "the air, it meets very small particles. Blue light is thrown in all directions much "
        "more than red light is. So blue light comes to us from every part of the sky. In the "
        "evening the light has a longer way through the air. Most of the blue is lost on that "
        "way, and the red is left."
    ),
    "how rain is made": (
        "The sun warms the sea and the land, and some of the water becomes vapour. Warm air "
        "rises and takes the vapour with it. High up it is cold, and the vapour turns into very "
        "small drops. Many drops together are a cloud. When the drops meet, they grow. At last "
        "they are too heavy to float, and they fall. That is rain, and it brings the water back "
        "to the rivers and the sea."
    ),
    "how a plane flies": (
        "A plane flies because of its wings and its speed. The engines push the plane forward, "
        "and air flows around the wings. A wing is curved and a little tilted, so it pushes the "
        "air down. The air pushes back, and that lifts the plane. The faster it goes, the more "
        "it is lifted. To land, the pilot makes the plane slower and makes the wings larger with "
        "flaps."
    ),
    "how bread is made": (
        "You need flour, water, salt and yeast. First you mix them and press the dough with your "
        "hands for about ten minutes. Then the dough rests in a warm place. The yeast eats "
        "sugar from the flour and makes gas, and the dough grows. After an hour you form the "
        "loaf and let it rest again. Then it goes into a hot oven for forty minutes. When it "
        "sounds hollow, it is done."
    ),
    "why we have seasons": (
        "The earth travels around the sun once a year. Its axis is not upright but tilted. In "
        "one part of the year the north leans towards the sun. Then the sun stands high, the "
        "days are long, and it is summer in the north. Half a year later the north leans away. "
        "Then the days are short and it is winter. In the south it is always the other way "
        "round."
    ),
    "how the heart works": (
        "The heart is a strong muscle, about as big as your fist. It has two halves, and each "
        "half is a pump. The right half sends blood to the lungs, where it takes up oxygen. The "
        "left half sends that blood to the whole body. Valves make sure that it only flows one "
        "way. A heart beats about seventy times a minute, and it never takes a day off."
    ),
    "what a computer does": (
        "A computer follows instructions, one after the other, very fast. Everything in it is "
        "written with only two signs, one and zero. The memory keeps the numbers, and the "
        "processor adds them, compares them and moves them. A program is a long list of such "
        "small steps. Words, pictures and music are all turned into numbers first. So a "
        "computer is not clever, but it is quick and it does not get tired."
    ),
    "how bees make honey": (
        "Bees fly from flower to flower and collect a sweet juice called nectar. They carry it "
        "home in a special stomach. In the hive they pass it from one bee to the next, and it "
        "gets thicker. Then they put it into small cells made of wax. They move their wings to "
        "dry it. When the honey is ready, they close the cell with wax. It is their food for the "
        "winter."
    ),
    "why we sleep": (
        "Nobody knows everything about sleep, but some things are clear. While we sleep, the "
        "body repairs itself and grows. The brain sorts what it has learned during the day. It "
        "keeps what is important and lets the rest go. We dream most in the second half of the "
        "night. People who sleep too little forget more, and they become ill more easily. Most "
        "grown people need about eight hours."
    ),
    "how a rainbow appears": (
        "You see a rainbow when the sun is behind you and rain is in front of you. Light goes "
        "into a drop of rain and is bent. It is reflected at the back of the drop, and bent "
        "again when it comes out. Each colour is bent a little differently, so the colours come "
        "apart. Red is on the outside and violet on the inside. Each person sees a rainbow of "
        "their own."
    ),
    "what money is for": (
        "Long ago people gave one thing for another, such as a goat for some corn. That is "
        "difficult if nobody wants your goat. So people agreed on something that everybody "
        "takes, first shells and metal, later coins and paper. With money you can buy today and "
        "sell tomorrow. You can also save it, and compare what things are worth. Money works "
        "because everybody trusts that the others will take it."
    ),
    "how the moon changes": (
        "The moon does not shine by itself. One half of it is always lit by the sun. The moon "
        "goes around us once in about four weeks, and we see the bright half from different "
        "sides. When it stands on the side of the sun, we see only the dark half, and that is "
        "the new moon. Two weeks later we see the whole bright half, and that is the full moon. "
        "Between them we see a part."
    ),
}
