"""The speller of Chinese: letters of pinyin learned on the frames of the recogniser's encoder.

speaking   texts in many voices, as files
varying    the same in rooms, through microphones, under noise, faster and slower
frames     what the recogniser's encoder makes of them, once
network    frames -> letters
learning   the training (CTC), and how many letters and syllables are wrong
"""
