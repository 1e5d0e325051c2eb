"""Clients that mean no good, and a well-behaved one beside them: does he notice?"""
