"""Twelve short stories, 20 to 40 seconds each when spoken: something to listen to, or interrupt."""

STORIES: dict[str, str] = {
    "fox": (
        "A young fox lived at the edge of a quiet wood. Every night she came to the farm and "
        "looked at the hens. The old dog watched her and said nothing. One cold evening the dog "
        "fell into the river, and the fox pulled him out. From that day the farmer left a bowl "
        "of milk at the gate, and the fox never touched a hen. On winter nights the two of them "
        "slept side by side in the warm straw."
    ),
    "lighthouse": (
        "On a small island stood a lighthouse, and in it lived a man called Peter. Each evening "
        "he climbed the stairs and lit the lamp. One night there was a storm and the lamp went "
        "out. Peter took every candle in the house and put them in the window. Far out at sea a "
        "captain saw the little lights and turned his ship away from the rocks. In the morning "
        "the captain came with bread and a new lamp."
    ),
    "clock": (
        "There was once a clock that was always five minutes late. The people in the house "
        "laughed at it. But the little girl liked it, because it gave her five more minutes to "
        "play. One day a man came and repaired the clock. Now it was right, and nobody looked at "
        "it any more. So the girl turned the hand back a little, and the clock was happy again."
    ),
    "kite": (
        "Anna made a red kite from an old shirt. It was too heavy and it would not fly. She made "
        "the tail shorter, and it fell. She made the tail longer, and it fell again. Then her "
        "grandfather told her to wait for the wind. They sat on the hill and waited for an hour. "
        "When the wind came, the kite went up by itself, higher than the church, and Anna "
        "laughed all the way home."
    ),
    "turtle": (
        "A turtle wanted to see the world. The birds told her about mountains and deserts and "
        "cities full of light. So she began to walk. After a year she had reached the end of the "
        "garden. There she met a snail, who asked her what was behind the wall. A whole garden, "
        "said the turtle, with roses and a pond and a cat. And she told the snail about it until "
        "the sun went down."
    ),
    "baker": (
        "In a small town there was a baker who could not sleep. Every night he baked one loaf "
        "more than he could sell, and put it on the bench outside. In the morning it was gone. "
        "Years later a young woman opened a shop next to his. She said that she had been hungry "
        "as a child, and that every day she had found bread on a bench. Now she would bake at "
        "night, and he could sleep."
    ),
    "robot": (
        "A robot was built to sort apples. Red apples went to the left and green apples to the "
        "right. One day a pear came along. The robot stopped and looked at it for a long time. "
        "Then it put the pear on top of its own head. The workers laughed so much that they gave "
        "the robot a name. They called it Pear, and from then on it got one pear every Friday."
    ),
    "river": (
        "Two villages stood on the two sides of a river, and they did not like each other. One "
        "summer the river was dry. The children walked across and played together in the sand. "
        "When the rain came back, they stood on the two sides and were sad. So they threw stones "
        "into the water, one every day. After three years there was a path, and after ten years "
        "nobody knew any more why they had quarrelled."
    ),
    "moon": (
        "A boy thought that the moon was following him. When he walked, it walked. When he "
        "stopped, it stopped. He told his sister, but she said that the moon was following her. "
        "They decided to find out. He ran to the left and she ran to the right. In the evening "
        "they both said that they had won. Their mother said that the moon was very old, and had "
        "learned to follow everybody at once."
    ),
    "painter": (
        "A painter wanted to paint the sea, but she lived far away from it. She asked everybody "
        "who had seen it. A sailor said that it was grey. A child said that it was blue. A "
        "fisherman said that it was never the same. So she painted a picture with all the "
        "colours she had. When at last she came to the sea, she sat down and said, yes, that is "
        "exactly how I remember it."
    ),
    "train": (
        "The last train of the evening had only one passenger, an old man with a bird in a cage. "
        "The driver asked him where he wanted to go. To the end of the line, said the man, where "
        "the trees are. There he opened the cage, and the bird flew away. The next evening the "
        "man was on the train again with the empty cage. Now the bird was waiting for him at the "
        "station, and it sang."
    ),
    "garden": (
        "Two neighbours had gardens with a wall between them. One grew flowers and the other "
        "grew beans. One spring the beans climbed over the wall, and the flowers grew through a "
        "hole in it. The neighbours wanted to be angry. But the beans had red flowers, and the "
        "bees loved them, and both gardens had never been so full. So they took away the wall "
        "and made a table from the stones."
    ),
}
