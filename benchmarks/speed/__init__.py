"""How quick is a cold command, a warm query and an import, beside the floor and the plain way?"""
