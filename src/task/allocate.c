/*
 * allocate.c
 *		Who gets the slots, where there are fewer than are wanted.
 */
#include "postgres.h"

#include "task/process.h"

static int
granted_to(const LyfClaimOnSlots *claims, int count, Oid database)
{
	int			granted = 0;

	for (int i = 0; i < count; i++)
		if (claims[i].database == database)
			granted += claims[i].granted;
	return granted;
}

/*
 * The claim to serve next: of the database that has the fewest; within it the one that has the fewest; among
 * equals one whose workers are there already, so that none is ended to start another.
 */
static LyfClaimOnSlots *
neediest(LyfClaimOnSlots *claims, int count)
{
	LyfClaimOnSlots *best = NULL;
	int			best_total = 0;

	for (int i = 0; i < count; i++)
	{
		LyfClaimOnSlots *claim = &claims[i];
		int			total;

		if (claim->granted >= claim->wanted)
			continue;
		total = granted_to(claims, count, claim->database);
		if (best == NULL || total < best_total ||
			(total == best_total && claim->granted < best->granted) ||
			(total == best_total && claim->granted == best->granted && claim->have > claim->granted && best->have <= best->granted))
		{
			best = claim;
			best_total = total;
		}
	}
	return best;
}

void
lyf_allocate(LyfClaimOnSlots *claims, int count, int slots)
{
	for (int i = 0; i < count; i++)
		claims[i].granted = 0;
	while (slots-- > 0)
	{
		LyfClaimOnSlots *claim = neediest(claims, count);

		if (claim == NULL)
			return;
		claim->granted++;
	}
}
